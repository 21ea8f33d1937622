/** Terms of guides, scripts and other tools, with the corresponding commands here, for `sluice help WORD`. */

export type OtherWords = {
  readonly words: readonly string[]
  readonly here: string
  readonly command: string
  readonly page: string
}

export const OTHER_WORDS: readonly OtherWords[] = [
  {
    words: ['deltalakedb'],
    here: 'its commands have the same names here',
    command: 'import',
    page: 'docs/guides/delta-log-to-sql.md',
  },
  {
    words: ['spark-submit', 'cdm', 'yugabyte', 'yugabytedb', 'prevrunid'],
    here: 'files of the Cassandra Data Migrator are read as they are: copy --properties FILE',
    command: 'copy',
    page: 'docs/guides/cassandra.md',
  },
  {
    words: ['quorum', 'max_workers', 'batch_insert_size', 'fetch_batch_size'],
    here: 'the settings file of the parallel script is read as it is: copy --settings FILE',
    command: 'copy',
    page: 'docs/guides/cassandra.md',
  },
  {
    words: ['migrate:resume', 'resume_mode', 'checkpoint_size', 'migration_checkpoints', 'checkpoint'],
    here: 'the same command resumes a copy',
    command: 'copy',
    page: 'docs/guides/resumable-migration.md',
  },
  {
    words: ['pgcopydb', 'migrate', 'migration'],
    here: 'tables are copied between databases',
    command: 'copy',
    page: 'docs/guides/tour.md',
  },
  {
    words: ['cdc', 'debezium', 'peerdb', 'replication', 'sync-tables'],
    here: 'a copy with --follow applies the changes of its source',
    command: 'follow',
    page: 'docs/guides/follow.md',
  },
  {
    words: ['reconciliation', 'reconcile', 'compare'],
    here: 'diff names the rows that differ; sign-off compares a followed copy as of one snapshot',
    command: 'diff',
    page: 'docs/guides/follow.md',
  },
  {
    words: ['decommission'],
    here: 'partition decommission retires the old table after a cutover',
    command: 'partition',
    page: 'docs/guides/partition-lifecycle.md',
  },
  {
    words: ['pg_partman', 'fiscal', 'quarter', 'fiscal-quarter'],
    here: 'partition divides a live table by time, also by fiscal quarters',
    command: 'partition',
    page: 'docs/guides/partitions.md',
  },
  {
    words: ['retention', 'parquet'],
    here: 'archive moves old partitions to Parquet; restore brings them back',
    command: 'archive',
    page: 'docs/guides/archive.md',
  },
  {
    words: ['backup'],
    here: 'sluice makes no backups; export-log writes the log of a table again from its catalog',
    command: 'export-log',
    page: 'docs/reference/CATALOG.md',
  },
  {
    words: ['audit', 'role', 'roles', 'rights'],
    here: 'grants prints or grants the rights that a login needs',
    command: 'grants',
    page: 'docs/reference/DATABASES.md',
  },
  {
    words: ['ducklake', 'iceberg', 'catalog'],
    here: 'Delta logs are imported into a SQL catalog, and are not changed',
    command: 'import',
    page: 'docs/reference/CATALOG.md',
  },
  {
    words: ['throughput', 'rate'],
    here: 'runs shows rows per second; copy --rate limits them, and ctl changes the limit of a running copy',
    command: 'ctl',
    page: 'docs/reference/METRICS.md',
  },
]

/** One line about a foreign term, with the command to use; null if unknown. */
export function otherWord(word: string): string | null {
  const known = OTHER_WORDS.find(({ words }) => words.includes(word.toLowerCase()))
  if (known === undefined) return null
  return `${known.here}: sluice ${known.command} --help, and ${known.page}`
}
