/**
 * The values of all metrics, and how many there may be: tables beyond a bound share one label, and of runs that have ended the newest are kept. So a worker that lives for
 * months, and a lake of 100,000 tables, are told in bounded space.
 */
import { METRICS, type LabelsOf, type MetricName } from './declared.ts'

/** Tables with a label of their own, of all runs together. */
export const MOST_TABLES = 1000
/** Label of all others. */
export const OTHER_TABLES = '(other tables)'
/** Runs that have ended, whose last values are still told. */
const ENDED_RUNS = 20

type Labels = Readonly<Record<string, string>>
export type Sample = { readonly labels: Labels; value: number }

class RunSeries {
  readonly samples = new Map<MetricName, Map<string, Sample>>()
  /** Tables with a label of their own, and that label. */
  readonly tables = new Map<string, string>()
  /** The last values of tables without a label of their own, by metric and labels. */
  readonly others = new Map<string, number>()
}

export class Series {
  /** By run; what is of no run has an empty name. Those that ended longest ago come first. */
  readonly #runs = new Map<string, RunSeries>()
  readonly #ended = new Set<string>()
  readonly #shown: (text: string) => string
  #tables = 0

  /** @param shown of a name of a table, without what is secret */
  constructor(shown: (text: string) => string) {
    this.#shown = shown
  }

  set<M extends MetricName>(metric: M, labels: LabelsOf<M>, value: number): void {
    this.#put(metric, labels, value, 'set')
  }

  add<M extends MetricName>(metric: M, labels: LabelsOf<M>, value: number): void {
    this.#put(metric, labels, value, 'add')
  }

  /** What no longer holds is told no longer. */
  clear(metric: MetricName, run: string): void {
    this.#runs.get(run)?.samples.delete(metric)
  }

  /** @returns what is told of a metric now, in the order in which it came */
  *of(metric: MetricName): Iterable<Sample> {
    for (const { samples } of this.#runs.values()) yield* samples.get(metric)?.values() ?? []
  }

  /** Nothing works on the run any more: it is forgotten once enough others have ended behind it. */
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

  /** The run goes on, or goes on again. */
  begun(run: string): void {
    this.#ended.delete(run)
  }

  #put(metric: MetricName, given: Labels, value: number, how: 'set' | 'add'): void {
    // What is no number (a text that is none) is not known.
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

  /** Null for a table that has none of its own. */
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
  const among = samples.get(metric) ?? new Map<string, Sample>()
  samples.set(metric, among)
  const key = keyOf(labels)
  const sample = among.get(key)
  if (sample === undefined) among.set(key, { labels, value })
  else sample.value = how === 'set' ? value : sample.value + value
}

/** No two sets of labels have the same. */
function keyOf(labels: Labels): string {
  return JSON.stringify(Object.values(labels))
}
