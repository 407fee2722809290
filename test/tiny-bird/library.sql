-- A town library. What its columns do not say: state L means lent, a loan without a return date is open, fines are in cents.
CREATE TABLE authors (
  author_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  born INTEGER
);
CREATE TABLE books (
  book_id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  author_id INTEGER NOT NULL REFERENCES authors (author_id),
  "year" INTEGER NOT NULL,
  shelf TEXT NOT NULL,
  state TEXT NOT NULL
);
CREATE TABLE loans (
  loan_id INTEGER PRIMARY KEY,
  book_id INTEGER NOT NULL REFERENCES books (book_id),
  reader TEXT NOT NULL,
  lent TEXT NOT NULL,
  returned TEXT,
  fine INTEGER NOT NULL
);
INSERT INTO authors VALUES (1, 'Edda Brandt', 1931), (2, 'Joao Prata', 1958), (3, 'Mei Tan', 1974), (4, 'Olu Adeyemi', NULL);
INSERT INTO books VALUES
  (1, 'Salt Roads', 1, 1966, 'F2', 'S'), (2, 'The Ferryman''s Map', 1, 1971, 'F2', 'L'), (3, 'Night Orchard', 2, 1990, 'F3', 'S'),
  (4, 'A Field Guide to Rain', 3, 2008, 'N1', 'L'), (5, 'Small Machines', 3, 2015, 'N1', 'S'), (6, 'Harbour Songs', 4, 2001, 'P1', 'S'),
  (7, 'Winter Almanac', 2, 1999, 'N2', 'X'), (8, 'Letters from Lagos', 4, 2019, 'F3', 'L'), (9, 'Glass Bees', 1, 1980, 'F2', 'S');
INSERT INTO loans VALUES
  (1, 1, 'Ana', '2024-01-03', '2024-01-20', 0), (2, 2, 'Ben', '2024-01-08', NULL, 0), (3, 4, 'Ana', '2024-02-01', NULL, 150),
  (4, 3, 'Cem', '2023-11-15', '2024-01-02', 320), (5, 5, 'Dora', '2024-02-10', '2024-02-24', 0), (6, 8, 'Cem', '2024-02-15', NULL, 0),
  (7, 1, 'Dora', '2023-09-09', '2023-10-01', 80), (8, 6, 'Ben', '2023-12-01', '2023-12-12', 0), (9, 9, 'Ana', '2023-08-20', '2023-09-30', 250),
  (10, 5, 'Eli', '2023-10-10', '2023-10-19', 0);
