"""Sums of columns as a contract writes them: `[Monthly Charge] - [Refunds] / 12`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable

_IN_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
_APPLY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that an expression reads; one without brackets is a column's name.

    Raises:
        ValueError: it is no sum, difference, product or quotient of columns and numbers.
    """
    names = tuple(dict.fromkeys(_IN_BRACKETS.findall(text))) or (text,)
    to_sql(text, lambda name: name)
    return names


def to_sql(text: str, column: Callable[[str], str]) -> str:
    """The expression as SQL, in which `column` writes a column; x / 0 is NULL."""
    names = _IN_BRACKETS.findall(text)
    if not names:
        return column(text)
    held = iter(range(len(names)))
    try:
        tree = ast.parse(_IN_BRACKETS.sub(lambda _: f"_{next(held)}_", text).strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no sum of [columns] and numbers") from error
    return _sql(tree.body, [column(name) for name in names], text)


def evaluate(text: str, value: Callable[[str], float | None]) -> float | None:
    """The expression's number, in which `value` gives a column's; None where it can't be told: a
    column is missing, or the divisor is 0. The same operations in the same order as `to_sql`."""
    names = _IN_BRACKETS.findall(text)
    if not names:
        return value(text)
    held = iter(range(len(names)))
    tree = ast.parse(_IN_BRACKETS.sub(lambda _: f"_{next(held)}_", text).strip(), mode="eval")
    return _number(tree.body, [value(name) for name in names])


def _number(node: ast.expr, columns: list[float | None]) -> float | None:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _number(left, columns), _number(right, columns)
            if a is None or b is None or (isinstance(op, ast.Div) and b == 0):
                return None
            return _APPLY[type(op)](a, b)
        case ast.UnaryOp(operand=operand):
            inner = _number(operand, columns)
            return None if inner is None else -inner
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return columns[int(name.strip("_"))]
    raise TypeError(f"{ast.dump(node)} was refused by to_sql")


def _sql(node: ast.expr, columns: list[str], text: str) -> str:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            a, b = _sql(left, columns, text), _sql(right, columns, text)
            return f"({a} {_OPERATORS[type(op)]} {f'nullif({b}, 0)' if type(op) is ast.Div else b})"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{_sql(operand, columns, text)})"
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return f"{number!r}::DOUBLE"
        case ast.Name(id=name) if re.fullmatch(r"_\d+_", name):
            return columns[int(name.strip("_"))]
    raise ValueError(f"{text!r} is no sum of [columns] and numbers (+ - * / and brackets)")
