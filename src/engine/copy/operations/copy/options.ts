/** Options that `copy` and `diff` share. */
import { STREAM_CAUSES, type AlertCause } from '../../../../model/run/alert.ts'
import type { OnExisting } from '../../../../model/copy/plan.ts'
import { inGroup, type Option } from '../../../run/operations/option.ts'

export const ON_EXISTING = ['refuse', 'upsert', 'replace-range', 'append'] as const satisfies readonly OnExisting[]
/** Types of decimals in a created table, if the target has no decimal type. */
export const DECIMALS = ['text', 'real'] as const
/** How a chunk is proved: by count and checksum, by count only, or not at all. */
export const PROOFS = ['chunk', 'count', 'none'] as const

/** Heading of options that exist for compatibility with other programs. */
export const OTHER_TOOLS = 'Options of other tools:'
const TABLES = 'Tables and columns:'

/** Operations that run a stream. */
export const STREAMS: readonly string[] = ['copy --follow', 'follow', 'cutover']

/** Rows per chunk. */
export const CHUNK_ROWS: Option = {
  name: 'checkpoint-size',
  type: 'number',
  unit: 'rows',
  shown: 'by the size of the table',
  describe: 'rows per chunk',
}

/** Limit of rows per second. */
export const ROW_RATE: Option = {
  name: 'rate',
  type: 'number',
  unit: 'rows a second',
  shown: 'no limit',
  describe: 'maximum rows per second',
}

/** A stream, identified by its id. */
export const STREAM: Option = {
  name: 'run',
  operand: true,
  type: 'text',
  completes: 'run',
  runsOf: STREAMS,
  describe: 'id of the stream, or of its last run',
}

export const ENDS: readonly Option[] = inGroup('Source and target:', [
  {
    name: 'from',
    type: 'text',
    completes: 'database',
    describe: 'URL or alias of the source (default: config file, then $DATABASE_URL)',
  },
  {
    name: 'to',
    type: 'text',
    completes: 'database',
    describe: 'URL or alias of the target (default: config file, then d1://$CLOUDFLARE_ACCOUNT_ID/$D1_DATABASE_ID)',
  },
])

/**
 * Options for tables, columns and their names. The hidden `spark-word` collects arguments of spark-submit that sluice
 * ignores; a note lists them.
 */
export const SELECTION: readonly Option[] = inGroup(TABLES, [
  { name: 'table', type: 'list', shown: 'none', completes: 'table', describe: 'a table of the source; repeatable' },
  {
    name: 'tables',
    type: 'list',
    commas: true,
    shown: 'none',
    completes: 'table',
    describe: "names and patterns, comma-separated, such as 'public.*'; repeatable",
  },
  {
    name: 'exclude',
    type: 'list',
    commas: true,
    shown: 'none',
    completes: 'table',
    describe: "tables of the source to leave out, by names and patterns such as 'public.log_*'; repeatable",
  },
  { name: 'to-schema', type: 'text', describe: 'schema in the target (default: the schema of the source)' },
  {
    name: 'to-table',
    type: 'text',
    completes: 'table',
    describe: 'name of the table in the target, if one table is copied',
  },
  {
    name: 'columns',
    type: 'list',
    commas: true,
    shown: 'all',
    completes: 'column',
    describe: 'only these columns, comma-separated; repeatable',
  },
  {
    name: 'rename',
    type: 'list',
    shown: 'none',
    completes: 'column',
    describe: 'old=new: name of a column in the target; repeatable',
  },
  {
    name: 'where',
    type: 'text',
    describe: 'only rows that match this condition, in the SQL of the source; times without an offset are UTC',
  },
  {
    name: 'key',
    type: 'list',
    commas: true,
    shown: 'the key of the table',
    completes: 'column',
    describe: 'columns that identify a row, comma-separated',
  },
  {
    name: 'workers',
    alias: 'parallel',
    type: 'number',
    fallback: 4,
    config: 'shown',
    describe: 'chunks processed in parallel; always one into a target that allows one writer, such as a database file',
  },
  {
    name: 'properties',
    group: OTHER_TOOLS,
    alias: 'properties-file',
    type: 'text',
    completes: 'file',
    describe: 'properties file of the Cassandra Data Migrator (spark.cdm.*); flags take precedence',
  },
  {
    name: 'conf',
    group: OTHER_TOOLS,
    type: 'list',
    shown: 'none',
    describe: 'key=value: another property; takes precedence over the file; repeatable',
  },
  {
    name: 'class',
    group: OTHER_TOOLS,
    type: 'text',
    describe: 'main class of the Cassandra Data Migrator to imitate, so that sluice can replace spark-submit',
  },
  { name: 'spark-word', type: 'list', hidden: true, describe: '' },
])

/** Options for tables with a token ring. Tokens are texts, because they have more digits than a number can hold. */
export const RING: readonly Option[] = inGroup('Cassandra:', [
  {
    name: 'splits',
    type: 'number',
    shown: 'by the size of the table',
    describe: 'number of token ranges per Cassandra table',
  },
  { name: 'partition-min', type: 'text', describe: 'smallest token to read (default: the first of the ring)' },
  { name: 'partition-max', type: 'text', describe: 'largest token to read (default: the last of the ring)' },
  {
    name: 'coverage',
    type: 'number',
    unit: 'percent',
    fallback: 100,
    describe: 'percentage of each range to read, from its start',
  },
])

/** Options to record a run in tables of the target, which the Cassandra Data Migrator calls tracking. */
export const TRACK: readonly Option[] = inGroup('Cassandra:', [
  {
    name: 'track-run',
    type: 'flag',
    default: false,
    describe: 'record the run in cdm_run_info and cdm_run_details of the target, range by range',
  },
  { name: 'run-id', type: 'text', shown: 'the number of the run', describe: 'number of the run in cdm_run_info' },
  {
    name: 'prev-run-id',
    type: 'text',
    completes: 'run',
    runsOf: ['copy'],
    describe: 'only ranges that this run left NOT_STARTED, STARTED, FAIL or DIFF in cdm_run_details',
  },
  {
    name: 'auto-rerun',
    type: 'flag',
    default: false,
    describe: 'like --prev-run-id with the latest run, if that run did not end successfully',
  },
])

/** Consistency levels for reads and writes. */
const CONSISTENCY = ['ONE', 'TWO', 'THREE', 'QUORUM', 'ALL', 'LOCAL_QUORUM', 'EACH_QUORUM', 'LOCAL_ONE'] as const

/** Options for reading and writing Cassandra. */
export const CASSANDRA: readonly Option[] = inGroup('Cassandra:', [
  {
    name: 'consistency',
    type: 'text',
    choices: CONSISTENCY,
    shown: 'the level of the URL, or LOCAL_QUORUM',
    describe: 'consistency level of reads and writes in Cassandra',
  },
  { name: 'read-consistency', type: 'text', choices: CONSISTENCY, describe: 'as --consistency, for reads only' },
  { name: 'write-consistency', type: 'text', choices: CONSISTENCY, describe: 'as --consistency, for writes only' },
  { name: 'page-rows', type: 'number', unit: 'rows', describe: 'rows per page that Cassandra returns' },
])

/** Options for writing rows to Cassandra. */
export const WRITING: readonly Option[] = inGroup('Cassandra:', [
  {
    name: 'batch-rows',
    type: 'number',
    unit: 'rows',
    describe: 'rows of one partition that are written to Cassandra as one batch',
  },
  {
    name: 'ttl',
    type: 'number',
    unit: 'seconds',
    describe: 'TTL of all rows in seconds, instead of their TTL in the source',
  },
  {
    name: 'writetime',
    type: 'text',
    describe: 'write time of all rows in microseconds since 1970, instead of their write time in the source',
  },
  {
    name: 'stamps',
    type: 'flag',
    default: true,
    describe: 'keep write times and TTLs between two Cassandra clusters; --no-stamps uses the current time',
  },
  {
    name: 'constants',
    group: TABLES,
    type: 'list',
    shown: 'none',
    describe: 'column=value: a column of the target that gets the same value in every row; repeatable',
  },
  {
    name: 'explode-map',
    group: TABLES,
    type: 'text',
    completes: 'column',
    describe: 'column:key:value: every entry of this map becomes a row, with its key and value in these columns',
  },
])

/** End condition for operations with a stream. */
export const UNTIL_EQUAL: Option = {
  name: 'until-equal',
  type: 'flag',
  default: false,
  describe: 'compare all rows in one snapshot of both sides, repair differences, and end once all rows are equal',
}

export const PROVE_EVERY: Option = {
  name: 'prove-every',
  type: 'text',
  unit: 'duration',
  shown: 'never',
  describe: 'while following, compare all rows repeatedly, with this pause between two comparisons, such as 1h',
}

export const LANES: Option = {
  name: 'apply-workers',
  type: 'number',
  shown: 'as in the last run, else 1',
  describe:
    'while following, number of apply workers, each for its own tables; tables joined by foreign keys share one. A source transaction may then become several in the target',
}

/** Alert causes of a copy, while it copies. */
export const COPY_CAUSES = ['stuck', 'quarantine', 'failed'] as const
/** Alert causes of operations with a stream. */
export const FOLLOW_CAUSES: readonly AlertCause[] = [...STREAM_CAUSES, ...COPY_CAUSES]

export const RESYNC: Option = {
  name: 'resync',
  type: 'list',
  commas: true,
  shown: 'none',
  completes: 'table',
  describe:
    'tables to empty in the target and copy again, because changes may be missing; comma-separated; other tables keep their rows',
}
