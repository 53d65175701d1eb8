/**
 * Imported first by every program that connects to a database. Postgres libraries read environment variables
 * (PGOPTIONS, PGSSLMODE, PGUSER, …) and a password file whenever they connect. These would override DATABASE_URL and
 * change how the embedded database is reached. Child processes do not inherit them either.
 */
for (const name of Object.keys(process.env)) {
  const isForClients = name.toUpperCase().startsWith('PG') || name === 'NODE_PG_FORCE_NATIVE';
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- process.env has no other way
  if (isForClients) delete process.env[name];
}
// `pgpass` reads no file when this variable exists. An empty value counts as no password.
process.env['PGPASSWORD'] = '';

export {};
