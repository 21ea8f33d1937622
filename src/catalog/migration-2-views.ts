/**
 * The views of migration 2. All use `current_version`, as delta_active_files does, so their readers never see half a
 * version. Files are grouped by partition number before any join, so that a million files need one pass.
 */

export type ViewFunctions = {
  /** `CREATE VIEW`, or a form that can run again. */
  readonly create: string
  /** ISO 8601 text in UTC for milliseconds since the epoch, years 1 to 9999. */
  iso(ms: string): string
  /** Integer quotient of two whole numbers that are not negative. */
  quotient(a: string, b: string): string
  /** A sum of whole numbers as a whole number. */
  whole(sum: string): string
  /** Number of rows that the deletion vector in this JSON column removes. */
  cardinality(column: string): string
}

const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999
/** Files below this size are small. */
const SMALL_BYTES = 32 * 2 ** 20
/** Size of a compacted file. */
const TARGET_BYTES = 128 * 2 ** 20

const ACTIVE =
  'f.added_version <= t.current_version AND (f.removed_version IS NULL OR f.removed_version > t.current_version)'

export function viewsSql(fn: ViewFunctions): string {
  // A log may contain any number as a time. A function that refuses the number would fail the whole view.
  const iso = (ms: string): string => `CASE WHEN ${ms} BETWEEN ${FIRST_MS} AND ${LAST_MS} THEN ${fn.iso(ms)} END`
  const view = (name: string, body: string): string => `${fn.create} ${name} AS\n${body};\n`
  const known = (unknown: string, value: string): string => `CASE WHEN ${unknown} > 0 THEN NULL ELSE ${value} END`
  return [
    view(
      'delta_history',
      `SELECT c.table_id, t.name AS table_name, t.location, c.version, ${iso('c.commit_time')} AS committed_at, c.commit_time,
  c.operation, c.engine, c.adds, c.removes, c.added_bytes, c.removed_bytes, c.num_files, c.num_bytes,
  ${known('c.files_without_records', 'c.num_records')} AS num_records
FROM delta_tables t JOIN delta_commits c ON c.table_id = t.table_id
WHERE c.version >= t.history_from AND c.version <= t.current_version`,
    ),
    view('delta_partition_stats', partitionStats(fn, iso, known)),
    view('delta_small_files', smallFiles(fn)),
    view('delta_table_growth', growth(iso, known)),
  ].join('')
}

type Iso = (ms: string) => string
type Known = (unknown: string, value: string) => string

function partitionStats(fn: ViewFunctions, iso: Iso, known: Known): string {
  const rows = `f.num_records - CASE WHEN f.deletion_vector IS NULL THEN 0 ELSE ${fn.cardinality('f.deletion_vector')} END`
  return `SELECT s.table_id, t.name AS table_name, p.partition_values, s.num_files, s.num_bytes, ${known('s.unknown', 's.num_records')} AS num_records,
  s.smallest_file, s.largest_file, ${fn.quotient('s.num_bytes', 's.num_files')} AS average_file,
  ${iso('s.newest')} AS newest_modification, s.newest AS newest_modification_time
FROM (
  SELECT f.table_id, f.partition_no, count(*) AS num_files, ${fn.whole('sum(f.size)')} AS num_bytes, ${fn.whole(`sum(${rows})`)} AS num_records,
    sum(CASE WHEN f.num_records IS NULL THEN 1 ELSE 0 END) AS unknown, min(f.size) AS smallest_file, max(f.size) AS largest_file,
    max(f.modification_time) AS newest
  FROM delta_tables t JOIN delta_files f ON f.table_id = t.table_id
  WHERE ${ACTIVE}
  GROUP BY f.table_id, f.partition_no
) s
JOIN delta_tables t ON t.table_id = s.table_id
JOIN delta_partitions p ON p.table_id = s.table_id AND p.partition_no = s.partition_no`
}

function smallFiles(fn: ViewFunctions): string {
  const small = `CASE WHEN f.size < ${SMALL_BYTES} THEN 1 ELSE 0 END`
  const smallBytes = `CASE WHEN f.size < ${SMALL_BYTES} THEN f.size ELSE 0 END`
  return `SELECT s.table_id, t.name AS table_name, p.partition_values, s.num_files, s.small_files, s.small_bytes,
  1.0 * s.small_files / s.num_files AS small_share,
  s.num_files - s.small_files + ${fn.quotient(`s.small_bytes + ${TARGET_BYTES - 1}`, String(TARGET_BYTES))} AS files_after_compaction
FROM (
  SELECT f.table_id, f.partition_no, count(*) AS num_files, ${fn.whole(`sum(${small})`)} AS small_files,
    ${fn.whole(`sum(${smallBytes})`)} AS small_bytes
  FROM delta_tables t JOIN delta_files f ON f.table_id = t.table_id
  WHERE ${ACTIVE}
  GROUP BY f.table_id, f.partition_no
) s
JOIN delta_tables t ON t.table_id = s.table_id
JOIN delta_partitions p ON p.table_id = s.table_id AND p.partition_no = s.partition_no
WHERE s.small_files > 0`
}

/** Changes per day. The first is NULL if the history does not begin at version 0: the state before it is unknown. */
function growth(iso: Iso, known: Known): string {
  const change = (column: string): string =>
    `e.${column} - CASE WHEN e.nth = 1 AND e.history_from = 0 THEN 0 ELSE e.${column}_before END AS ${column}_change`
  const before = (column: string, value: string): string =>
    `${value} AS ${column}, lag(${value}) OVER (PARTITION BY d.table_id ORDER BY d.day) AS ${column}_before`
  return `SELECT e.table_id, e.table_name, e.day, e.commits, e.version, e.num_files, e.num_bytes, e.num_records,
  ${change('num_files')}, ${change('num_bytes')}, ${change('num_records')}
FROM (
  SELECT d.table_id, d.table_name, d.day, d.commits, d.version, d.history_from,
    row_number() OVER (PARTITION BY d.table_id ORDER BY d.day) AS nth,
    ${before('num_files', 'c.num_files')},
    ${before('num_bytes', 'c.num_bytes')},
    ${before('num_records', known('c.files_without_records', 'c.num_records'))}
  FROM (
    SELECT h.table_id, h.table_name, h.history_from, h.day, count(*) AS commits, max(h.version) AS version
    FROM (
      SELECT c.table_id, t.name AS table_name, t.history_from, c.version, substr(${iso('c.commit_time')}, 1, 10) AS day
      FROM delta_tables t JOIN delta_commits c ON c.table_id = t.table_id
      WHERE c.version >= t.history_from AND c.version <= t.current_version AND c.commit_time IS NOT NULL
    ) h
    GROUP BY h.table_id, h.table_name, h.history_from, h.day
  ) d
  JOIN delta_commits c ON c.table_id = d.table_id AND c.version = d.version
) e`
}
