/**
 * Compares two relations as sets, in SQL: each row that one side lacks and each field that differs becomes a row of
 * `difference`. Then differences between texts that mean the same (by the field's mode) are removed.
 */
import { sqlLiteral } from '../../shared/sql-text.ts'

/**
 * How two texts are compared. `text`: byte for byte. `values`: as JSON objects, including nulls. `json`: as JSON
 * without nulls. `stats`: as JSON with equal numbers and times. `shared`: as `stats`, if both sides have the field.
 * `spelled`: as `values`, for partition values from two writers. Differences that remain in the last three modes are
 * compared by the types of the columns (`removeEqualByType`).
 */
export type CompareMode = 'text' | 'values' | 'json' | 'stats' | 'shared' | 'spelled'

export type ComparedField = {
  readonly name: string
  readonly log: string
  readonly catalog: string
  readonly mode?: CompareMode
}

export type ValidateComparison = {
  readonly check: string
  /** SQL expressions over `l` and `c`; if one side lacks a row, that side is all NULL. */
  readonly version: string
  readonly path: string
  readonly log: string
  readonly catalog: string
  /** Join condition; must be an equality of expressions. */
  readonly on: string
  readonly fields: readonly ComparedField[]
  /** True: the rows are left out of the counts that users see. */
  readonly uncounted?: true
}

const as = (expression: string): string => `CAST(${expression} AS VARCHAR)`

/** Statement that adds the differences of two relations to `difference`. Both need a column `present`, always 1. */
export function compareSql(comparison: ValidateComparison): string {
  const { check, version, path, log, catalog, on, fields } = comparison
  const entry = (name: string, mode: CompareMode, left: string, right: string): string =>
    `{'field': ${sqlLiteral(name)}, 'mode': ${sqlLiteral(mode)}, 'log': ${left}, 'catalog': ${right}}`
  const differs = (field: ComparedField): string => `${as(field.log)} IS DISTINCT FROM ${as(field.catalog)}`
  const both = fields.map(
    (f) => `CASE WHEN ${differs(f)} THEN ${entry(f.name, f.mode ?? 'text', as(f.log), as(f.catalog))} END`,
  )
  const any = fields.length === 0 ? 'false' : fields.map(differs).join(' OR ')
  return `
INSERT INTO difference
SELECT nextval('difference_ids'), ${sqlLiteral(check)}, version, path, d.field, d.mode, d.log, d.catalog FROM (
  SELECT CAST(${version} AS BIGINT) AS version, ${as(path)} AS path, unnest(CASE
    WHEN l.present IS NULL THEN [${entry('row', 'text', "'missing'", "'present'")}]
    WHEN c.present IS NULL THEN [${entry('row', 'text', "'present'", "'missing'")}]
    ELSE [${both.length === 0 ? 'NULL' : both.join(',\n      ')}] END) AS d
  FROM (${log}) l FULL JOIN (${catalog}) c ON ${on}
  WHERE l.present IS NULL OR c.present IS NULL OR ${any})
WHERE d IS NOT NULL`
}

const JSON_MODES = "'values', 'json', 'stats', 'shared', 'spelled'"

/**
 * Compares numbers by value, times as instants and other values as text. HUGEINT would round a fraction, so only
 * integers use it.
 */
const SAME_ATOM = `CASE
  WHEN atom IS NULL THEN 'null'
  WHEN starts_with(atom, '"') AND regexp_matches(atom, '^"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:')
    THEN coalesce(CAST(TRY_CAST(trim(atom, '"') AS TIMESTAMPTZ) AS VARCHAR), atom)
  WHEN starts_with(atom, '"') THEN atom
  WHEN regexp_full_match(atom, '-?[0-9]+') THEN coalesce(CAST(TRY_CAST(atom AS HUGEINT) AS VARCHAR), atom)
  ELSE coalesce(CAST(TRY_CAST(atom AS DOUBLE) AS VARCHAR), atom) END`

/** Leaves of the JSON texts of one side, as rows. */
const leaves = (side: 'log' | 'catalog'): string => `
SELECT id, fullkey, ${SAME_ATOM} AS atom FROM (
  SELECT d.id, t.fullkey, CAST(t.atom AS VARCHAR) AS atom
  FROM (SELECT id, mode, ${side} AS text FROM difference
    WHERE mode IN (${JSON_MODES}) AND json_valid(log) AND json_valid(catalog)) d, json_tree(d.text) t
  WHERE t.atom IS NOT NULL OR (d.mode IN ('values', 'spelled') AND t.type = 'NULL'))`

/** SQL: the JSON text of the catalog has no white space outside of strings. An import writes no such white space. */
export const COMPACT = `NOT regexp_matches(regexp_replace(catalog, '"(\\\\.|[^"\\\\])*"', '', 'g'), '[ \\t\\r\\n]')`

/** Statements that remove from `difference` values that only differ in spelling. */
export const REMOVE_EQUAL: readonly string[] = [
  `CREATE OR REPLACE TEMP TABLE log_leaf AS ${leaves('log')}`,
  `CREATE OR REPLACE TEMP TABLE cat_leaf AS ${leaves('catalog')}`,
  `CREATE OR REPLACE TEMP TABLE unequal AS
   SELECT DISTINCT coalesce(l.id, c.id) AS id FROM log_leaf l FULL JOIN cat_leaf c ON l.id = c.id AND l.fullkey = c.fullkey
   LEFT JOIN difference d ON d.id = coalesce(l.id, c.id)
   WHERE (l.atom IS DISTINCT FROM c.atom) AND (d.mode <> 'shared' OR (l.id IS NOT NULL AND c.id IS NOT NULL))`,
  `DELETE FROM difference WHERE mode IN (${JSON_MODES}) AND coalesce(json_valid(log) AND json_valid(catalog), false)
     AND id NOT IN (SELECT id FROM unequal) AND (mode IN ('shared', 'spelled') OR ${COMPACT})`,
  // Missing stats on one side are no difference.
  `DELETE FROM difference WHERE mode = 'shared' AND (log IS NULL OR catalog IS NULL)`,
]

/** The remaining differences are final. */
export const MARK_FINAL = `UPDATE difference SET mode = 'text' WHERE mode <> 'text'`
