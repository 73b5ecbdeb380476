"""Insults and swindlers' words are no names in any language that we write, and people's names are.

Why: a Spanish message called a customer "Idiota": names were held against English words alone.
"""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from churn_assets.customers.languages import LANGUAGES
from churn_assets.messages.shield.name_words import WORDS_PATH
from churn_assets.messages.shield.names import read_name
from churn_assets.messages.shield.rules import default_rules, language_path, words_of

INSULTS = """
Idiota|Imbécil|Estúpida|Tonto|Cabrona|Cabrones|Sudaca|Zorra|Puto|Hijo Puta|Subnormal|Payaso|Boludo
Culero|Te Odio|Os Odio|Mátate|Muérete|Negro de Mierda|Ana Idiota|IDIOTA|Id iota|ÎDIÕTA|Asqueroso
Coño|Ana Coño|COÑO|Sieg Heil|Heil Hitler|White Power|Die Now
Thief|Thieves|Liar|Kill Them|Kill Him|Die Soon|You Die|Fat Cow|Old Hag|Stupid|Bastard|Shut Up|Hitler
"""
SWINDLES = """
Estafa|Estafadores|Ladrones|Paga Ya|Pague Ya|Llama Ya|Compre Ya|Cancela Ya|Has Ganado|Señor Moroso
Sr. Moroso|Morosos|Deudor|Tu Banco|Su Contrato|Dinero Fácil|Gana Dinero|Ganador|iPhone Gratis
Urgente|Oferta|Descuento|Último Aviso|Última Oportunidad|Haz Clic|Inicia Sesión|Sin Riesgo|Regalamos
Págame|Págueme|Paga Me|Pagar Ya|Llámame|Gane Dinero|Ganar Dinero|Ganaste
Send Money|Pay Me|Vous Avez Gagné|Zero Dollars
Scam|Scam Alert|Ripoff|Rip Off|Fraudsters|Fake Company|Debtor|Owe Money|You Owe Us|Leave Us
Choose Vodafone|Switch Provider|Better At Vodafone|Movistar|Choose Us|Scаm
"""
FIRST_NAMES = """
María|Carmen|Josefa|Isabel|Dolores|Pilar|Teresa|Ana|Francisca|Antonia|Lucía|Sofía|Martina|Paula|Julia
Daniela|Valeria|Alba|Emma|Carla|Sara|Noa|Marta|Rocío|Consuelo|Remedios|Angustias|Socorro|Milagros
Soledad|Mercedes|Esperanza|Encarnación|Inmaculada|Concepción|Montserrat|Nuria|Itziar|Iban|Iker|Unai
Aitor|Jordi|Oriol|Xavier|Brais|Antonio|José|Manuel|Francisco|Juan|Javier|Jesús|Ángel|Miguel|Pablo
Álvaro|Santiago|Mateo|Hugo|Leo|Martín|Thiago|Salvador|Máximo|Inocencio|Bienvenido|Prudencio|Modesto
Guadalupe|Xóchitl|Ximena|Camila|Valentina|Vale|Renata|Regina|Fernanda|Yolanda|Yadira|Wilmer|Yesenia
Brayan|Jhon|Ignacio|Nacho|Paco|Pepe|Concha|Chelo|Mamen|Kike|Pancho|Lupe|Chucho|Cuca|Nieves|Cruz
Oliver|George|Arthur|Noah|Muhammad|Leo|Harry|Jack|Charlie|Freddie|Alfie|Theodore|Olivia|Amelia|Isla
Ava|Lily|Ivy|Freya|Florence|Willow|Grace|Faith|Hope|Joy|Mercy|Patience|Dick|Randy|Fanny|Gay|Wally
Bob|Rob|Mark|Bill|Will|Chase|Sky|Skye|Dean|Miles|Guy|Basil|Rich|Frank|Ernest|Victor|Ganga|Bono|Cono
Marica|Perla|Leah|Lee|Liara|Lia|Timo
"""
LAST_NAMES = """
García|Rodríguez|González|Fernández|López|Martínez|Sánchez|Pérez|Gómez|Martín|Jiménez|Ruiz|Hernández
Díaz|Moreno|Muñoz|Álvarez|Romero|Alonso|Gutiérrez|Navarro|Torres|Domínguez|Vázquez|Ramos|Gil|Ramírez
Serrano|Blanco|Molina|Morales|Suárez|Ortega|Delgado|Castro|Ortiz|Rubio|Marín|Sanz|Núñez|Iglesias
Medina|Garrido|Cortés|Castillo|Santos|Lozano|Guerrero|Cano|Prieto|Méndez|Cruz|Calvo|Gallego|Vidal
León|Herrera|Márquez|Peña|Flores|Cabrera|Campos|Vega|Fuentes|Carrasco|Diez|Reyes|Caballero|Nieto
Aguilar|Pascual|Santana|Herrero|Montero|Lorenzo|Hidalgo|Giménez|Ibáñez|Ferrer|Durán|Santiago|Benítez
Ladrón de Guevara|Bueno|Malo|Guerra|Paz|Feo|Gordo|Rico|Pobre|Bravo|Cordero|Borrego|Toro|Vaca|Lobo
Matamoros|Mata|Matas|Negro|Moro|Cerda|Cerdó|Verga|Capullo|Bastardo|Perra|Guarro|Zorrilla
Zorita|Barata|Barato|Regalado|Regalo|Vale|Cheque|Doble|Menos|Abogado|Ganado|Llamas|Pagán|Multedo
Casado|Viudo|Conejo|Culebras|Polla|Pollo|Putin|Tonti|Cabello|Cabezón|Barriga|Rebajo|Ahumada|Deusto
Quispe|Mamani|Huamán|Condori|Chávez|Rojas|Vargas|Restrepo|Zapata|Cárdenas|Arce|Valdés|Pinochet|Cazorla
Querido|Gentile|Lieber|Heil|Power|Geld|Klant|Caro|Prezado
Smith|Jones|Taylor|Brown|Williams|Wilson|Johnson|Davies|Patel|Robinson|Wright|Thompson|Evans|Walker
White|Roberts|Green|Hall|Wood|Jackson|Clarke|Clark|Harrison|Scott|Cooper|King|Lewis|Baker|Turner|Hill
Ward|Morris|Moore|Allen|Young|Cox|Butt|Hancock|Dickinson|Crook|Crooks|Swindells|Scammell|Leach|Lear
Leaver|Choate|Chew|Savage|Slaughter|Death|Coffin|Grave|Pain|Payne|Mean|Moody|Looney|Gay|Hooker|Bugg
Swift|Rich|Price|Penny|Cash|Money|Banks|Bills|Best|Good|Goodenough|Strange|Stranger
Steel|Thieme|Theaker|Fakes|Loser|Fool|Winner|Sale|Deal|Discount|Lawyer
"""


def listed(names: str) -> list[str]:
    """The names of a table, each once."""
    return list(
        dict.fromkeys(name for line in names.split("\n") for name in line.split("|") if name)
    )


@pytest.mark.parametrize("name", listed(INSULTS + SWINDLES))
def test_it_is_no_name(name: str) -> None:
    """Whatever language the message is in."""
    assert read_name(name).text is None


@pytest.mark.parametrize("first", listed(FIRST_NAMES))
def test_a_first_name_is_written(first: str) -> None:
    """Alone, and before a surname that is common in its language and one that is not."""
    for name in (first, f"{first} García", f"{first} Smith", f"{first} Ladrón de Guevara"):
        assert read_name(name).text == name


@pytest.mark.parametrize("last", listed(LAST_NAMES))
def test_a_last_name_is_written(last: str) -> None:
    """Alone, in capitals, and after a first name or two."""
    for name in (last, last.upper(), f"Ana {last}", f"José María {last}", f"Mr. Sam {last}"):
        assert read_name(name).text == name


def test_two_last_names_are_written() -> None:
    """As in Spain and Latin America, two of which together may read like a phrase."""
    known = {*json.loads(WORDS_PATH.read_text(encoding="utf-8"))["surnames"]}
    both = [name for name in listed(LAST_NAMES) if name.lower() not in known]
    for one, other in [*pairwise(both), *pairwise(both[::-1])]:
        assert read_name(f"Juan {one} {other}").text, (one, other)


def test_first_names_of_every_language_s_rules_are_written() -> None:
    """A first name among another language's banned words would insult its bearer."""
    for language in LANGUAGES:
        for name in default_rules().in_language(language).first_names:
            assert read_name(name).text == name


def test_what_a_language_bans_is_read_without_its_patterns() -> None:
    """The same words as its rules have."""
    assert LANGUAGES[1:] == ("es",)
    own = json.loads(language_path("es").read_text(encoding="utf-8"))
    assert {*words_of("es")} == {
        *(phrase for group in own["banned_phrases"].values() for phrase in group),
        *own["gift_words"],
        *own["discount_words"],
    }
