/** The catalog in PostgreSQL. */
import { sqlLiteral } from '../../shared/sql-text.ts'
import { laterMigrations } from './migrations.ts'
import type { CatalogDialect } from '../dialect-port.ts'
import { catalogSql } from '../relations-sql.ts'
import { filePartitions } from './file-partitions.ts'
import { functions } from './006-functions.ts'
import { identities } from './007-identities.ts'
import { postgresqlGrants } from './grants.ts'
import { postgresqlRights } from './rights.ts'

const relations = catalogSql({
  // Order and equality by bytes, in every locale of the database.
  text: 'text COLLATE "C"',
  key: 'text COLLATE "C"',
  bytes: 'bytea',
  end: '',
  filesKey: '',
  filesEnd: ' PARTITION BY LIST (table_id)',
  inlineIndex: () => '',
  index: (name, relation, columns) => `CREATE INDEX IF NOT EXISTS ${name} ON ${relation}(${columns});\n`,
  uniqueLocation: {
    inline: '',
    // A B-tree key has at most 2,704 bytes; a path can be longer.
    statement: 'CREATE UNIQUE INDEX IF NOT EXISTS delta_tables_location ON delta_tables(md5(location));\n',
  },
  orReplace: 'OR REPLACE',
})

const relationNames = `SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident(current_schema()))::oid`

export const postgresqlDialect: CatalogDialect = {
  grants: postgresqlGrants,
  rights: postgresqlRights,
  migrations: [
    { version: 1, name: 'catalog', sql: relations + filePartitions, breaking: true },
    ...laterMigrations,
    functions,
    identities,
  ],
  transactionalDdl: true,
  numbering: 'table',
  files: {
    kind: 'partitions',
    fromRows: 100_000,
    add: 'SELECT catalog_file_partition_add(?)',
    index: 'SELECT catalog_file_partition_index(?)',
    indexAll: 'SELECT catalog_file_partition_index(NULL)',
  },
  objectNames: relationNames,
  analyze: 'SELECT catalog_analyze()',
  dependents: `SELECT DISTINCT coalesce(v.relname, t.relname) FROM pg_catalog.pg_depend d
      LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid AND r.oid = d.objid
      LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
      LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid AND k.oid = d.objid AND k.contype = 'f'
      LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
    WHERE d.refobjid IN (${relationNames.replace('c.relname FROM', 'c.oid FROM')} AND c.relname ~ '^(delta_|migration_status$)'::text)
      AND coalesce(v.relname, t.relname) IS NOT NULL AND coalesce(v.relname, t.relname) !~ '^delta_'::text
    UNION SELECT g.tgname FROM pg_catalog.pg_trigger g WHERE NOT g.tgisinternal
      AND g.tgrelid IN (${relationNames.replace('c.relname FROM', 'c.oid FROM')} AND c.relname ~ '^delta_'::text)`,
  // Do not use this on texts of a log: one lone surrogate or \\u0000 in them fails the whole statement.
  jsonText: (column, path) => `(${column}::json #>> ARRAY[${path.map(sqlLiteral).join(', ')}])`,
}
