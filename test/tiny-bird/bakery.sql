-- A bakery. What its columns do not say: prices are in cents, status A means active, deleted orders stay in the table.
CREATE TABLE products (
  product_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  price INTEGER NOT NULL,
  status TEXT NOT NULL
);
CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  city TEXT,
  since TEXT NOT NULL
);
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
  product_id INTEGER NOT NULL REFERENCES products (product_id),
  quantity INTEGER NOT NULL,
  ordered TEXT NOT NULL,
  deleted INTEGER NOT NULL
);
INSERT INTO products VALUES
  (1, 'Rye loaf', 'bread', 420, 'A'), (2, 'Baguette', 'bread', 180, 'A'), (3, 'Spelt loaf', 'bread', 510, 'D'),
  (4, 'Croissant', 'pastry', 160, 'A'), (5, 'Almond croissant', 'pastry', 240, 'A'), (6, 'Cinnamon roll', 'pastry', 210, 'A'),
  (7, 'Lemon tart', 'cake', 390, 'A'), (8, 'Black forest cake', 'cake', 2800, 'D'), (9, 'Cheesecake', 'cake', 2400, 'A');
INSERT INTO customers VALUES
  (1, 'Ines', 'Lisbon', '2019-03-02'), (2, 'Tomas', 'Porto', '2020-07-19'), (3, 'Rui', 'Lisbon', '2021-01-05'),
  (4, 'Marta', 'Braga', '2021-11-30'), (5, 'Clara', NULL, '2022-05-14'), (6, 'Pedro', 'Porto', '2023-02-08');
INSERT INTO orders VALUES
  (1, 1, 1, 2, '2023-01-04', 0), (2, 1, 4, 6, '2023-01-04', 0), (3, 2, 2, 3, '2023-01-09', 0), (4, 3, 9, 1, '2023-02-11', 0),
  (5, 3, 4, 4, '2023-02-11', 1), (6, 4, 7, 2, '2023-03-17', 0), (7, 5, 6, 5, '2023-03-20', 0), (8, 6, 1, 1, '2023-04-01', 0),
  (9, 6, 5, 3, '2023-04-02', 1), (10, 2, 8, 1, '2022-12-24', 0), (11, 1, 9, 1, '2022-12-24', 0), (12, 4, 2, 8, '2023-05-06', 0),
  (13, 5, 3, 2, '2022-11-11', 0), (14, 3, 1, 1, '2023-05-20', 0), (15, 6, 4, 10, '2023-06-01', 0), (16, 2, 6, 2, '2023-06-03', 1);
