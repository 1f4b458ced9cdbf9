"""The SQL of a neighbour search: exact, over every live file, by cosine distance.

For unit vectors the cosine distance is half the squared Euclidean one; that form is exactly 0
for equal vectors, where 1 - u.v is not.
"""

from __future__ import annotations

from collections.abc import Callable

_DISTANCE = "array_distance({column}, $vector::FLOAT[{dims}]) ** 2 / 2"

_NEAR = """
    SELECT file_path, file_id, sequence_path, frame_number, {distance} AS distance
    FROM files
    WHERE retired_at IS NULL AND embedding_version = $version {condition}
"""

_BY_FILE = (
    "WITH {files} near AS ("
    + _NEAR
    + ") SELECT file_path, file_id, distance FROM near ORDER BY distance, file_path LIMIT $k"
)

# One sequence may stand under several patterns: frames 1 to 10 without padding are x.#.exr and
# x.##.exr. A wider pattern goes on the next narrower one of its name, unless one of its numbers
# has a leading zero, which only padding writes.
_BY_SEQUENCE = (
    "WITH {files} near AS ("
    + _NEAR
    + r"""
), patterns AS (
    SELECT coalesce(sequence_path, file_path) AS pattern, sequence_path,
           min(distance) AS distance,
           arg_min(file_path, (distance, file_path)) AS file_path,
           arg_min(file_id, (distance, file_path)) AS file_id,
           min(frame_number) AS first_frame, max(frame_number) AS last_frame,
           count(*) AS frame_count,
           min(length(abs(frame_number)::VARCHAR) + (frame_number < 0)::INTEGER) AS fewest_digits
    FROM near GROUP BY ALL
), families AS (
    SELECT *, regexp_replace(pattern, '#+(\.[A-Za-z0-9]+)$', '#\1') AS family,
           length(regexp_extract(pattern, '(#+)\.[A-Za-z0-9]+$', 1)) AS padding
    FROM patterns
), chains AS (
    SELECT *, sum((fewest_digits < padding)::INTEGER)
                  OVER (PARTITION BY family ORDER BY padding) AS chain
    FROM families WHERE sequence_path IS NOT NULL
), grouped AS (
    SELECT arg_min(file_path, (distance, padding)) AS file_path,
           arg_min(file_id, (distance, padding)) AS file_id,
           min(distance) AS distance, arg_min(sequence_path, padding) AS sequence_path,
           min(first_frame) AS first_frame, max(last_frame) AS last_frame,
           sum(frame_count)::BIGINT AS frame_count
    FROM chains GROUP BY family, chain
    UNION ALL
    SELECT file_path, file_id, distance, NULL, NULL, NULL, frame_count
    FROM patterns WHERE sequence_path IS NULL
)
SELECT * FROM grouped ORDER BY distance, coalesce(sequence_path, file_path) LIMIT $k
"""
)


def nearest_query(
    column: str,
    dims: int,
    where: str | None,
    *,
    by_sequence: bool,
    files: Callable[[str, str], str] | None = None,
) -> str:
    """The statement, with parameters $vector, $version and $k.

    The condition stands on lines of its own, so that a comment in it ends with its line. A store
    that has each vector once gives ``files``: from a column and the distance of ``vector``, a
    query of the rows of ``files`` with that distance as ``$distance``.
    """
    condition = f"AND (\n{where}\n)" if where else ""
    distance = _DISTANCE.format(column=column, dims=dims)
    measured = ""
    if files is not None:
        measured = f"files AS ({files(column, _DISTANCE.format(column='vector', dims=dims))}),"
        distance = '"$distance"'
    return (_BY_SEQUENCE if by_sequence else _BY_FILE).format(
        files=measured, distance=distance, condition=condition
    )
