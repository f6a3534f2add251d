"""Reading tables: people's files as rows of architectures and measurements, strictly checked.

The published layout is one row per measurement, a column ``vector`` with the architecture as integers in brackets, and
one numeric column per objective. Architectures may as well be columns of genes, JSON, or text of this project's own;
files may be CSV in any usual dialect, JSON, Parquet or Excel, packed or not, or a data frame.
"""

from rapid_moo.reading.cells import LARGEST
from rapid_moo.reading.columns import GeneColumns
from rapid_moo.reading.layout import VECTOR, objectives_beside, read_csv, read_table, refuse_identifiers
from rapid_moo.reading.options import Reading
from rapid_moo.reading.raw import RawTable, build_table

__all__ = [
    "LARGEST",
    "VECTOR",
    "GeneColumns",
    "RawTable",
    "Reading",
    "build_table",
    "objectives_beside",
    "read_csv",
    "read_table",
    "refuse_identifiers",
]
