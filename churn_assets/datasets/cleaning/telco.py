"""IBM Telco: the public CSV to typed customers. Rows without a first bill are dropped."""

from pathlib import Path
from typing import Any

import pandas as pd

from churn_assets.datasets.cells import read_cells
from churn_assets.datasets.schemas import RAW_TELCO
from churn_assets.datasets.tables import read_text_table

_COLUMNS = {
    "customerID": "customer_id",
    "gender": "gender",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "tenure": "tenure",
    "PhoneService": "phone_service",
    "MultipleLines": "multiple_lines",
    "InternetService": "internet_service",
    "OnlineSecurity": "online_security",
    "OnlineBackup": "online_backup",
    "DeviceProtection": "device_protection",
    "TechSupport": "tech_support",
    "StreamingTV": "streaming_tv",
    "StreamingMovies": "streaming_movies",
    "Contract": "contract",
    "PaperlessBilling": "paperless_billing",
    "PaymentMethod": "payment_method",
    "MonthlyCharges": "monthly_charges",
    "TotalCharges": "total_charges",
    "Churn": "churn",
}


def clean(raw: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Customers of the IBM file (N, 21) and what was done to them.

    Charges are in the file's currency (US dollars) per month and in total; tenure is in months.
    A blank `TotalCharges` marks a customer who has not been billed yet (tenure 0): dropped.

    Raises:
        CorruptFileError: the file is no CSV with as many values in each row as in its header.
        SchemaViolationError: its columns or values are not the IBM file's.
    """
    table = read_cells(read_text_table(raw, ","), RAW_TELCO, str(raw), strict=True)
    billed = table[table["TotalCharges"].notna()].rename(columns=_COLUMNS)
    customers = billed.astype({"total_charges": "float64"}).reset_index(drop=True)
    return customers, {"raw_rows": len(table), "dropped_blank_total": len(table) - len(billed)}
