/** The catalog in MySQL and MariaDB. Every DDL statement commits implicitly, so each can run again after a kill. */
import { isoTime } from '../../shared/clock.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import { laterMigrations } from './migrations.ts'
import type { CatalogDialect } from '../dialect-port.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { catalogSql } from '../relations-sql.ts'
import { mysqlGrants } from './grants.ts'
import { mysqlRights } from './rights.ts'

const END = ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = ${binary}'

const relations = catalogSql({
  // TEXT is limited to 64 KB, and only a server in strict mode reports longer values.
  text: 'longtext',
  // A key of InnoDB has at most 3,072 bytes, and a character takes up to four.
  key: 'varchar(500)',
  bytes: 'longblob',
  end: END,
  filesKey: ', PRIMARY KEY (table_id, file_no)',
  filesEnd: END,
  inlineIndex: (name, columns) => `, KEY ${name} (${columns})`,
  index: () => '',
  uniqueLocation: {
    inline:
      ', location_digest binary(32) GENERATED ALWAYS AS (unhex(sha2(location, 256))) STORED, UNIQUE KEY delta_tables_location (location_digest)',
    statement: '',
  },
  orReplace: 'OR REPLACE',
})

const indexes = [
  ['delta_files_key', 'key_hash'],
  ['delta_files_partition', 'table_id, partition_no, removed_version, added_version'],
  ['delta_files_closed', 'table_id, removed_version, added_version'],
] as const

const RELATIONS = [
  'delta_tables',
  'delta_commits',
  'delta_partitions',
  'delta_files',
  'delta_actions',
  'delta_metadata',
  'delta_protocols',
  'delta_txns',
  'delta_domains',
  'delta_range_zones',
  'delta_file_ranges',
]

export const mysqlDialect: CatalogDialect = {
  grants: mysqlGrants,
  rights: mysqlRights,
  migrations: [{ version: 1, name: 'catalog', sql: relations, breaking: true }, ...laterMigrations],
  transactionalDdl: false,
  tableEnd: END,
  numbering: 'table',
  files: {
    kind: 'shared',
    indexes: indexes.map(([name, columns]) => ({
      name,
      sql: `CREATE INDEX ${name} ON delta_files(${columns})`,
      drop: `DROP INDEX ${name} ON delta_files`,
    })),
  },
  objectNames: `SELECT table_name FROM information_schema.tables WHERE table_schema = database()
    UNION SELECT index_name FROM information_schema.statistics WHERE table_schema = database()`,
  analyze: `ANALYZE TABLE ${RELATIONS.join(', ')}`,
  dependents: `SELECT table_name FROM information_schema.views WHERE table_schema = database() AND table_name NOT LIKE 'delta|_%' ESCAPE '|'
      AND (view_definition LIKE '%\`delta|_%' ESCAPE '|' OR view_definition LIKE '%\`migration|_status\`%' ESCAPE '|')
    UNION SELECT table_name FROM information_schema.referential_constraints WHERE constraint_schema = database()
      AND referenced_table_name LIKE 'delta|_%' ESCAPE '|'
    UNION SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()
      AND event_object_table LIKE 'delta|_%' ESCAPE '|'`,
  jsonText: (column, path) =>
    `json_unquote(json_extract(${column}, ${sqlLiteral(`$${path.map((name) => `.${JSON.stringify(name)}`).join('')}`)}))`,
  timeText: (ms) => isoTime(ms).slice(0, -1).replace('T', ' '),
  binaryCollation: (database) => (database as SqlDatabase & { readonly binaryCollation: string }).binaryCollation,
}
