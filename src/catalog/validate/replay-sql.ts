/** The replay, in window functions: file lifetimes, totals and times of every version. DuckDB statements, in order. */

/** Paths that may differ from their canonical form; every other path is itself the key. */
export const UNUSUAL_PATHS = `
SELECT DISTINCT path FROM (SELECT path FROM log_add UNION ALL SELECT path FROM log_remove)
WHERE path NOT IN (SELECT path FROM path_key) AND (contains(path, '%') OR contains(path, ':') OR starts_with(path, '/') OR contains(path, './') OR contains(path, '//') OR ends_with(path, '.'))`

/**
 * Adds and removes of commits, and adds of the base checkpoint. PROTOCOL.md, "Action Reconciliation": the key is (path,
 * dvId).
 */
const EVENTS = `
CREATE TABLE log_event AS
SELECT a.version, a.source, a.line, coalesce(k.key, a.path) AS key, coalesce(a.dv_id, '') AS dv, true AS is_add
FROM log_add a LEFT JOIN path_key k ON k.path = a.path WHERE a.source IN (0, 1)
UNION ALL
SELECT r.version, r.source, r.line, coalesce(k.key, r.path), coalesce(r.dv_id, ''), false
FROM log_remove r LEFT JOIN path_key k ON k.path = r.path WHERE r.source = 0`

/**
 * A lifetime ends with the next add or remove of its key in a commit. `nth` numbers the lifetimes of a key that begin
 * in one version. Two rows of the base checkpoint with the same key do not end each other: readers return both.
 */
const LIFETIMES = `
CREATE TABLE log_life AS
SELECT version, source, line, key, dv, removed_version, row_number() OVER (PARTITION BY key, dv, version ORDER BY line) AS nth
FROM (SELECT *, lead(CASE WHEN source = 0 THEN version END IGNORE NULLS) OVER (PARTITION BY key, dv ORDER BY version, line) AS removed_version
  FROM log_event)
WHERE is_add`

/** Keys with several lifetimes that begin in the same version, which is legal and rare. */
const REPEATED = `
CREATE TABLE cat_repeated AS
SELECT file_no, row_number() OVER (PARTITION BY key, dv_id, added_version ORDER BY TRY_CAST(line AS BIGINT)) AS nth
FROM cat_files WHERE (key, coalesce(dv_id, ''), added_version) IN (
  SELECT (key, coalesce(dv_id, ''), added_version) FROM cat_files GROUP BY ALL HAVING count(*) > 1)`

/** File lifetimes of the catalog, with versions as numbers and with `nth` as in `log_life`. */
const CATALOG_LIFETIMES = `
CREATE VIEW cat_life AS
SELECT f.*, coalesce(f.dv_id, '') AS dv, TRY_CAST(f.added_version AS BIGINT) AS added, TRY_CAST(f.removed_version AS BIGINT) AS removed,
  coalesce(r.nth, 1) AS nth
FROM cat_files f LEFT JOIN cat_repeated r USING (file_no)`

/**
 * Running totals of the active files after each version. Records are visible rows: rows of the file without rows marked
 * in its deletion vector.
 */
const TOTALS = `
CREATE TABLE log_total AS
WITH life AS (
  SELECT l.version, l.removed_version, a.size, a.num_records - coalesce(a.cardinality, 0) AS num_records FROM log_life l JOIN log_add a USING (version, source, line)),
delta AS (
  SELECT version, 1 AS files, size AS bytes, coalesce(num_records, 0) AS records, CAST(num_records IS NULL AS INT) AS without FROM life
  UNION ALL
  SELECT removed_version, -1, -size, -coalesce(num_records, 0), -CAST(num_records IS NULL AS INT) FROM life
  WHERE removed_version IS NOT NULL),
by_version AS (
  SELECT v.version, coalesce(sum(files), 0) AS files, coalesce(sum(bytes), 0) AS bytes, coalesce(sum(records), 0) AS records,
    coalesce(sum(without), 0) AS without
  FROM log_version v LEFT JOIN delta d ON d.version = v.version GROUP BY v.version)
SELECT version, sum(files) OVER w AS num_files, sum(bytes) OVER w AS num_bytes, sum(records) OVER w AS num_records,
  sum(without) OVER w AS files_without_records
FROM by_version WINDOW w AS (ORDER BY version)`

/** The first commitInfo of each commit. */
const INFOS = `
CREATE TABLE log_info AS
SELECT version, arg_min(raw, line) AS raw, min(line) AS line FROM log_other
WHERE kind = 'commitInfo' AND source IN (0, 3) AND version >= (SELECT min(version) FROM log_version) GROUP BY version`

/**
 * Commit times, all by the configuration of the newest version: the in-commit timestamp, otherwise the time of the
 * file. The time of a file is moved forward to at least 1 ms after the time of the previous version. In closed form:
 * time(v) = v + max over u <= v of (mtime(u) - u). The time of a checkpoint without its commit does not move later
 * times.
 */
const TIMES = `
CREATE TABLE log_time AS
WITH configured AS (
  SELECT json_extract(raw, '$.metaData.configuration') AS c FROM log_other
  WHERE kind = 'metaData' AND source IN (0, 1) AND version <= (SELECT max(version) FROM log_version)
  ORDER BY version DESC, source, line DESC LIMIT 1),
able AS (
  SELECT CAST(json_extract(raw, '$.protocol.writerFeatures') AS VARCHAR) AS features FROM log_other
  WHERE kind = 'protocol' AND source IN (0, 1) AND version <= (SELECT max(version) FROM log_version)
  ORDER BY version DESC, source, line DESC LIMIT 1),
rule AS (
  SELECT CASE WHEN lower(c->>'$."delta.enableInCommitTimestamps"') = 'true' AND regexp_matches(features, '"inCommitTimestamp(-preview)?"')
    THEN coalesce(TRY_CAST(c->>'$."delta.inCommitTimestampEnablementVersion"' AS BIGINT), 0) END AS in_commit_from
  FROM configured, able),
seen AS (
  SELECT v.version, v.modified, v.has_commit, CASE WHEN v.has_commit
      THEN v.version + max(CASE WHEN v.has_commit THEN v.modified - v.version END) OVER (ORDER BY v.version) ELSE v.modified END AS by_file,
    CASE WHEN v.version >= (SELECT in_commit_from FROM rule) THEN
      TRY(CAST(regexp_extract(CAST(json_extract(json_extract(i.raw, '$.commitInfo'), '$.inCommitTimestamp') AS VARCHAR), '^-?[0-9]+$') AS BIGINT)) END AS inside
  FROM log_version v LEFT JOIN log_info i ON i.version = v.version)
SELECT version, inside IS NOT NULL AS in_commit, modified, has_commit, coalesce(inside, by_file) AS commit_time FROM seen`

/** Number of in-commit timestamps that are not above the previous one, and the first such version. */
export const UNTIMELY = `
SELECT count(*), min(version) FROM (
  SELECT version, commit_time, lag(commit_time) OVER (ORDER BY version) AS before FROM log_time WHERE in_commit)
WHERE commit_time <= before`

/**
 * Facts and effects of each commit. The files of the base version come from its checkpoint, so the actions of its own
 * commit are only counted, from its lines.
 */
const COMMITS = `
CREATE TABLE log_commit AS
WITH lines AS (
  SELECT version, count(*) AS n FROM (
    SELECT version FROM log_add WHERE source = 0 UNION ALL SELECT version FROM log_other WHERE source IN (0, 3)) GROUP BY version),
adds AS (SELECT version, count(*) AS n, sum(size) AS bytes FROM log_add WHERE source = 0 GROUP BY version),
removes AS (SELECT version, count(*) AS n FROM log_remove WHERE source = 0 GROUP BY version),
ended AS (
  SELECT l.removed_version AS version, sum(a.size) AS bytes FROM log_life l JOIN log_add a USING (version, source, line)
  WHERE l.removed_version IS NOT NULL GROUP BY l.removed_version),
stated AS (
  SELECT version, count(*) FILTER (kind = 'add') AS adds, count(*) FILTER (kind = 'remove') AS removes,
    sum(TRY_CAST(raw->>'$.add.size' AS BIGINT)) AS added_bytes, sum(TRY_CAST(raw->>'$.remove.size' AS BIGINT)) AS removed_bytes
  FROM log_other WHERE source = 3 AND kind IN ('add', 'remove') GROUP BY version),
first_files AS (SELECT added AS version, min(TRY_CAST(file_no AS BIGINT)) AS file_no FROM cat_life GROUP BY added)
SELECT v.version, t.commit_time, t.has_commit, CASE WHEN t.in_commit THEN '1' ELSE '0' END AS in_commit_time, v.modified AS file_mtime,
  f.bytes AS log_bytes, f.digest AS log_digest,
  CASE WHEN json_type(i.raw, '$.commitInfo.operation') = 'VARCHAR' THEN i.raw->>'$.commitInfo.operation' END AS operation,
  CASE WHEN json_type(i.raw, '$.commitInfo.engineInfo') = 'VARCHAR' THEN i.raw->>'$.commitInfo.engineInfo' END AS engine,
  i.raw AS commit_info, i.line AS commit_info_line, coalesce(l.n, 0) AS num_lines,
  coalesce(a.n, o.adds, 0) AS adds, coalesce(r.n, o.removes, 0) AS removes, coalesce(a.bytes, o.added_bytes, 0) AS added_bytes,
  coalesce(e.bytes, o.removed_bytes, 0) AS removed_bytes, ff.file_no AS first_file_no,
  n.num_files, n.num_bytes, n.num_records, n.files_without_records
FROM log_version v JOIN log_time t USING (version) JOIN log_total n USING (version) LEFT JOIN log_file f ON f.version = v.version AND f.source IN (0, 3)
LEFT JOIN log_info i ON i.version = v.version LEFT JOIN lines l ON l.version = v.version LEFT JOIN adds a ON a.version = v.version
LEFT JOIN removes r ON r.version = v.version LEFT JOIN ended e ON e.version = v.version LEFT JOIN stated o ON o.version = v.version
LEFT JOIN first_files ff ON ff.version = v.version`

/** Needs `log_version(version, modified, has_commit)`: every version of the window with the time of its file. */
export const REPLAY: readonly string[] = [EVENTS, LIFETIMES, REPEATED, CATALOG_LIFETIMES, TOTALS, INFOS, TIMES, COMMITS]

/** State at a version: the newest row of each key; a commit's line is preferred to a row of the base checkpoint. */
const newest = (kind: string, partition: string, version: number): string => `
SELECT raw FROM log_other WHERE kind = '${kind}' AND source IN (0, 1) AND version <= ${version}
QUALIFY row_number() OVER (PARTITION BY ${partition} ORDER BY version DESC, source, line DESC) = 1`

export const logProtocolAt = (version: number): string => newest('protocol', '1', version)
export const logMetadataAt = (version: number): string => newest('metaData', '1', version)
export const logTxnsAt = (version: number): string => newest('txn', `raw->>'$.txn.appId'`, version)
export const logDomainsAt = (version: number): string =>
  `SELECT raw FROM (${newest('domainMetadata', `raw->>'$.domainMetadata.domain'`, version)}) WHERE coalesce(raw->>'$.domainMetadata.removed', 'false') <> 'true'`

/** Active files at a version, found without `log_life`: keys whose newest event is an add, or a row of the base. */
export const logActiveAt = (version: number): string => `
SELECT e.*, a.size, a.num_records, a.path FROM (
  SELECT * FROM log_event WHERE version <= ${version}
  QUALIFY rank() OVER (PARTITION BY key, dv ORDER BY version DESC, CASE WHEN source = 0 THEN line END DESC) = 1) e
JOIN log_add a USING (version, source, line) WHERE e.is_add`

/** Number of files that the base checkpoint lists more than once, the first of them, and the checkpoint's version. */
export const DOUBLED_IN_BASE = `
SELECT count(*), min(path), min(version) FROM (
  SELECT min(a.path) AS path, version FROM log_life l JOIN log_add a USING (version, source, line)
  WHERE l.source = 1 AND l.nth = 2 GROUP BY l.key, l.dv, version)`

/** Active files of the catalog at a version, by the predicate of docs/reference/CATALOG.md. */
export const catalogActiveAt = (version: number): string =>
  `SELECT * FROM cat_life WHERE added <= ${version} AND (removed_version IS NULL OR removed > ${version})`

/** Number of files that readers without path decoding get wrong: they see several copies, or a removed file. */
export const misreadFilesAt = (version: number): string => `
SELECT count(*) FROM (
  SELECT key, dv, count(*) FILTER (is_add) AS written, arg_max(is_add, newest) AS here FROM (
    SELECT e.key, e.dv, coalesce(a.path, r.path) AS path, arg_max(e.is_add, (e.version, e.line)) AS is_add, max((e.version, e.line)) AS newest
    FROM log_event e LEFT JOIN log_add a ON e.is_add AND (a.version, a.source, a.line) = (e.version, e.source, e.line)
    LEFT JOIN log_remove r ON NOT e.is_add AND (r.version, r.source, r.line) = (e.version, e.source, e.line)
    WHERE e.version <= ${version} AND e.key IN (SELECT key FROM path_key WHERE key <> path) GROUP BY ALL)
  GROUP BY key, dv)
WHERE written <> CAST(here AS INT)`
