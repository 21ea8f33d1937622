/** Emits the results as events: each check with both counts, each difference with both values, up to a limit. */
import { dec, type Emit } from '../../model/run/event.ts'
import type { SqlDatabase, SqlValue } from '../../model/run/sql-port.ts'
import { compareSql, REMOVE_EQUAL, MARK_FINAL, type ValidateComparison } from './compare.ts'
import { removeEqualByType } from './equal-by-type.ts'
import { loadCounted, runAll } from './scratch.ts'
import { countOf } from '../count-rows.ts'

/** Maximum number of differences shown; all differences are counted. */
export const MAX_SHOWN = 1000
const MAX_TEXT = 400

/** A difference found without SQL. */
export type CatalogDifference = {
  readonly path: string | null
  readonly field: string
  readonly log: SqlValue | undefined
  readonly catalog: SqlValue | undefined
}

type Sides = readonly [string, string]

export class Report {
  readonly #scratch: SqlDatabase
  readonly #table: string
  readonly #emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>
  readonly witnesses = new Set<string>()
  readonly notes: string[] = []
  checks = 0
  differences = 0
  #shown = 0
  #lastId = 0
  #hasAdded = false

  constructor(scratch: SqlDatabase, table: string, emit: Emit<'verify.check' | 'verify.mismatch' | 'log'>) {
    this.#scratch = scratch
    this.#table = table
    this.#emit = emit
  }

  /** Runs the comparisons of one check. Its event shows the rows counted on both sides. */
  async compare(
    version: number,
    check: string,
    secondSource: string,
    comparisons: readonly ValidateComparison[],
    sides?: Sides,
  ): Promise<void> {
    const found = await runAll(this.#scratch, comparisons.map(compareSql))
    if (found > 0) {
      await runAll(this.#scratch, REMOVE_EQUAL)
      await removeEqualByType(this.#scratch, this.#lastId)
      await runAll(this.#scratch, [MARK_FINAL])
    }
    const shownOf = comparisons.filter((one) => one.uncounted !== true)
    const sum = (side: 'log' | 'catalog'): string =>
      shownOf.map((one) => `(SELECT count(*) FROM (${one[side]}))`).join(' + ')
    const [row] = await this.#scratch.all(`SELECT ${sum('log')}, ${sum('catalog')}`)
    await this.#emitCheck(version, check, secondSource, String(row?.[0]), String(row?.[1]), found > 0, sides)
  }

  /** Runs a check that compares two values. */
  async value(
    version: number,
    check: string,
    secondSource: string,
    field: string,
    log: SqlValue | undefined,
    catalog: SqlValue | undefined,
    sides?: Sides,
  ): Promise<void> {
    const texts = [shown(log), shown(catalog)] as const
    const differs = texts[0] !== texts[1]
    if (differs) await this.#insert(version, check, field, texts)
    await this.#emitCheck(version, check, secondSource, ...texts, differs, sides)
  }

  /** Number of differences in commit times that were found so far. */
  async countTimeDifferences(): Promise<number> {
    return await countOf(
      this.#scratch,
      `difference WHERE "check" IN ('commits', 'table') AND field IN ('commit_time', 'in_commit_time', 'file_mtime', 'current_commit_time')`,
    )
  }

  /** Adds differences to a check that `endCheck` ends. Call it with a bounded number, because every row may differ. */
  async addDifferences(version: number, check: string, found: readonly CatalogDifference[]): Promise<void> {
    if (found.length === 0) return
    const columns = ['id', 'check', 'version', 'path', 'field', 'mode', 'log', 'catalog']
    await this.#scratch.write(async (transaction) => {
      const ids = await transaction.all(`SELECT nextval('difference_ids') FROM range(CAST(? AS BIGINT))`, [
        found.length,
      ])
      const rows = found.map(({ path, field, log, catalog }, i): SqlValue[] => [
        ids[i]?.[0] ?? null,
        check,
        version,
        path,
        field,
        'text',
        shown(log),
        shown(catalog),
      ])
      await loadCounted(transaction, 'difference', columns, rows)
    })
    this.#hasAdded = true
  }

  /** Ends a check whose differences were added by `addDifferences`. */
  async endCheck(version: number, check: string, secondSource: string, log: string, catalog: string): Promise<void> {
    const suspected = this.#hasAdded
    this.#hasAdded = false
    await this.#emitCheck(version, check, secondSource, log, catalog, suspected)
  }

  /** Emits the differences that the statements of a check left in `difference`. */
  async #emitCheck(
    version: number,
    check: string,
    secondSource: string,
    log: string,
    catalog: string,
    suspected: boolean,
    sides?: Sides,
  ): Promise<void> {
    this.checks++
    this.witnesses.add(secondSource)
    const event = {
      type: 'verify.check',
      table: this.#table,
      version: dec(version),
      check,
      log,
      catalog,
      witness: secondSource,
      ...(sides === undefined ? {} : { sides }),
    } as const
    if (!suspected) {
      this.#emit({ ...event, equal: true })
      return
    }
    const [row] = await this.#scratch.all('SELECT count(*), coalesce(max(id), 0) FROM difference WHERE id > ?', [
      this.#lastId,
    ])
    const found = Number(row?.[0] ?? 0)
    this.differences += found
    this.#emit({ ...event, equal: found === 0 })
    if (found > 0) await this.#show(sides)
    this.#lastId = Math.max(this.#lastId, Number(row?.[1] ?? 0))
  }

  async #show(sides?: Sides): Promise<void> {
    if (this.#shown >= MAX_SHOWN) return
    const rows = await this.#scratch.all(
      'SELECT "check", version, path, field, log, catalog FROM difference WHERE id > ? ORDER BY id LIMIT ?',
      [this.#lastId, MAX_SHOWN - this.#shown],
    )
    for (const [check, version, path, field, log, catalog] of rows) {
      this.#shown++
      this.#emit({
        type: 'verify.mismatch',
        table: this.#table,
        version: String(version ?? 0),
        check: String(check),
        ...(path === null || path === undefined ? {} : { path: String(path) }),
        field: String(field),
        log: shown(log),
        catalog: shown(catalog),
        ...(sides === undefined ? {} : { sides }),
      })
    }
  }

  async #insert(
    version: number,
    check: string,
    field: string,
    [log, catalog]: readonly [string, string],
  ): Promise<void> {
    await this.#scratch.write((transaction) =>
      transaction.run(`INSERT INTO difference VALUES (nextval('difference_ids'), ?, ?, NULL, ?, 'text', ?, ?)`, [
        check,
        version,
        field,
        log,
        catalog,
      ]),
    )
  }
}

function shown(value: SqlValue | undefined): string {
  if (value === null || value === undefined) return 'none'
  const text = String(value)
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}
