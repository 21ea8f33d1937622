/**
 * Values of all metrics in bounded space, for workers that run for months and lakes of 100,000 tables: tables beyond a
 * limit share one label, and only the newest ended runs are kept.
 */
import { METRICS, type LabelsOf, type MetricName } from './declared.ts'

/** Limit of tables with a label of their own, over all runs. */
export const MOST_TABLES = 1000
/** Label of all other tables. */
export const OTHER_TABLES = '(other tables)'
/** Number of ended runs whose last values are kept. */
const ENDED_RUNS = 20

type Labels = Readonly<Record<string, string>>
export type MetricSample = { readonly labels: Labels; value: number }

class RunSeries {
  readonly samples = new Map<MetricName, Map<string, MetricSample>>()
  /** Labels by table, for tables with their own label. */
  readonly tables = new Map<string, string>()
  /** Last values of tables without their own label, by metric and labels. */
  readonly others = new Map<string, number>()
}

export class Series {
  /** Values by run id; the key is empty for values without a run. */
  readonly #runs = new Map<string, RunSeries>()
  /** Ended runs, oldest end first. */
  readonly #ended = new Set<string>()
  readonly #shown: (text: string) => string
  #tables = 0

  /** @param shown redacts a table name */
  constructor(shown: (text: string) => string) {
    this.#shown = shown
  }

  set<M extends MetricName>(metric: M, labels: LabelsOf<M>, value: number): void {
    this.#put(metric, labels, value, 'set')
  }

  add<M extends MetricName>(metric: M, labels: LabelsOf<M>, value: number): void {
    this.#put(metric, labels, value, 'add')
  }

  /** Removes values that are no longer valid. */
  clear(metric: MetricName, run: string): void {
    this.#runs.get(run)?.samples.delete(metric)
  }

  /** @returns current samples of a metric, in order of creation */
  *of(metric: MetricName): Iterable<MetricSample> {
    for (const { samples } of this.#runs.values()) yield* samples.get(metric)?.values() ?? []
  }

  /** Marks a run as ended. It is removed once enough later runs have ended. */
  ended(run: string): void {
    this.#ended.delete(run)
    this.#ended.add(run)
    for (const old of this.#ended) {
      if (this.#ended.size <= ENDED_RUNS) return
      this.#ended.delete(old)
      this.#tables -= this.#runs.get(old)?.tables.size ?? 0
      this.#runs.delete(old)
    }
  }

  /** Marks a run as active, also after its end. */
  begun(run: string): void {
    this.#ended.delete(run)
  }

  #put(metric: MetricName, given: Labels, value: number, how: 'set' | 'add'): void {
    // Number() returns NaN for a text that is not a number: the value is unknown.
    if (!Number.isFinite(value)) return
    const run = this.#run(given['run'] ?? '')
    const { table } = given
    if (table === undefined || table === '') return put(run, metric, given, value, how)
    const own = this.#labelOf(run, table)
    if (own !== null) return put(run, metric, { ...given, table: own }, value, how)
    const { others }: { readonly others?: 'sum' | 'none' } = METRICS[metric]
    if (others === 'none') return
    const labels = { ...given, table: OTHER_TABLES }
    if (how === 'add') return put(run, metric, labels, value, how)
    const key = `${metric} ${keyOf(given)}`
    const before = run.others.get(key) ?? 0
    run.others.set(key, value)
    put(run, metric, labels, value - before, 'add')
  }

  #run(name: string): RunSeries {
    const known = this.#runs.get(name)
    if (known !== undefined) return known
    const made = new RunSeries()
    this.#runs.set(name, made)
    return made
  }

  /** Label of a table; null if the limit of labels is reached. */
  #labelOf({ tables }: RunSeries, table: string): string | null {
    const known = tables.get(table)
    if (known !== undefined) return known
    if (this.#tables >= MOST_TABLES) return null
    this.#tables += 1
    const label = this.#shown(table)
    tables.set(table, label)
    return label
  }
}

function put({ samples }: RunSeries, metric: MetricName, labels: Labels, value: number, how: 'set' | 'add'): void {
  const among = samples.get(metric) ?? new Map<string, MetricSample>()
  samples.set(metric, among)
  const key = keyOf(labels)
  const sample = among.get(key)
  if (sample === undefined) among.set(key, { labels, value })
  else sample.value = how === 'set' ? value : sample.value + value
}

/** Key of a sample, unique for each set of labels. */
function keyOf(labels: Labels): string {
  return JSON.stringify(Object.values(labels))
}
