/** Instructions as evolution leaves them after some rounds, which an evolver rewrites. */
export const MANUAL = `Read the question and the hints, find the tables and columns they are about, and write one SQLite query that answers the question. Return exactly the columns that are asked for.

1. A column that belongs to another table needs a join: follow the foreign keys from the table of the thing that is asked for.
2. Names of colours, publishers, races and powers are in tables of their own, never in the table of heroes.
3. Give every column its table when more than one table is joined.
4. Use COUNT(DISTINCT ...) when a join may repeat the rows that are counted.
5. A percentage is 100.0 times the count of those that meet the condition, divided by the count of all: use CAST(... AS REAL).
6. "The most" and "the highest" mean ORDER BY ... DESC LIMIT 1; with ties allowed compare with the maximum instead.
7. Compare text exactly as the hints write it, capital letters included.
8. Ignore rows in which the value that is asked for is NULL.
9. An average over groups needs the sum divided by the number of distinct groups, not AVG of the joined rows.
10. Do not add columns, aliases or an order that the question does not ask for.`;
