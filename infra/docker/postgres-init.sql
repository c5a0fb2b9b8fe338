-- Run once, when the database's volume is empty: the ledger's owner may do everything in its own database and nothing elsewhere.
\set ON_ERROR_STOP on
\set password `cat /run/secrets/ledger_password`
CREATE ROLE lyhord LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE lyhord OWNER lyhord ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE lyhord FROM PUBLIC;
