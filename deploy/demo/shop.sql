-- The demo resource: a small shop with personal data in it. Deterministic, so that what the README shows is what you see.
CREATE TABLE customers (
  id           integer PRIMARY KEY,
  name         text NOT NULL,
  email        text NOT NULL UNIQUE,
  phone        text NOT NULL,
  card_number  text NOT NULL,
  national_id  text NOT NULL,
  country      text NOT NULL,
  joined_on    date NOT NULL
);
CREATE TABLE orders (
  id           integer PRIMARY KEY,
  customer_id  integer NOT NULL REFERENCES customers (id),
  status       text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'returned')),
  total        numeric(10, 2) NOT NULL,
  placed_at    timestamptz NOT NULL
);
CREATE TABLE payments (
  id           integer PRIMARY KEY,
  order_id     integer NOT NULL REFERENCES orders (id),
  method       text NOT NULL,
  card_number  text NOT NULL,
  amount       numeric(10, 2) NOT NULL,
  paid_at      timestamptz NOT NULL
);

INSERT INTO customers
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@example.com',
       '+1 555 ' || lpad((n * 7919 % 1000)::text, 3, '0') || ' ' || lpad((n * 104729 % 10000)::text, 4, '0'),
       '4000' || lpad((n::bigint * 982451653 % 1000000000000)::text, 12, '0'),
       lpad((n * 15485863::bigint % 1000)::text, 3, '0') || '-' || lpad((n * 31 % 100)::text, 2, '0') || '-' ||
         lpad((n * 32452843::bigint % 10000)::text, 4, '0'),
       (ARRAY['DE', 'FR', 'GB', 'IN', 'JP', 'US'])[1 + n % 6],
       date '2019-01-01' + (n * 37 % 2400)
FROM generate_series(1, 2000) AS n,
     LATERAL (SELECT (ARRAY['Ada', 'Alan', 'Barbara', 'Claude', 'Donald', 'Edsger', 'Frances', 'Grace', 'Hedy', 'John',
                            'Katherine', 'Leslie', 'Margaret', 'Niklaus', 'Radia', 'Tim'])[1 + n % 16] AS first,
                     (ARRAY['Lovelace', 'Turing', 'Liskov', 'Shannon', 'Knuth', 'Dijkstra', 'Allen', 'Hopper', 'Lamarr',
                            'Backus', 'Johnson', 'Lamport', 'Hamilton', 'Wirth', 'Perlman'])[1 + n * 7 % 15] AS last) AS names;

INSERT INTO orders
SELECT n, 1 + n * 13 % 2000, (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + n % 4], 5 + (n * 97 % 50000) / 100.0,
       timestamptz '2025-01-01 00:00:00+00' + n * interval '1 hour'
FROM generate_series(1, 5000) AS n;

INSERT INTO payments
SELECT o.id, o.id, CASE WHEN o.id % 3 = 0 THEN 'transfer' ELSE 'card' END, c.card_number, o.total, o.placed_at + interval '10 minutes'
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status <> 'new';

CREATE VIEW big_spenders AS
SELECT c.name, c.email, sum(o.total) AS spent FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.name, c.email;

ANALYZE;
