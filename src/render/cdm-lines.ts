/**
 * Lines that scripts search for in the log of the Cassandra Data Migrator, with its spacing. They are printed in
 * addition to the lines of sluice if the run emits `run.tracked`.
 */
import type { Event, EventOf } from '../model/run/event.ts'

const RULE = '#'.repeat(96)
const HASHES = '#'.repeat(22)
const JOBS: Readonly<Record<EventOf<'run.tracked'>['job'], string>> = {
  MIGRATE: 'Migrate Job',
  VALIDATE: 'Data Validation Job',
}

export class CdmLines {
  readonly #begun = new Map<string, EventOf<'run.tracked'>>()
  /** Line that was printed when a range began, by table and chunk; repeated if the range fails. */
  readonly #ranges = new Map<string, string>()
  #job: string | null = null
  /** Rows that this run has read, by its final counts. */
  #read = 0n

  /** The lines of an event; empty before `run.tracked`, which requests them. */
  event(event: Event): readonly string[] {
    switch (event.type) {
      case 'run.tracked':
        return this.#start(event)
      case 'chunk.started': {
        const line = this.#range(event)
        if (line === null) return []
        this.#ranges.set(`${event.table}\n${event.chunk}`, line)
        return [line]
      }
      case 'chunk.failed': {
        const line = this.#ranges.get(`${event.table}\n${event.chunk}`)
        return line === undefined ? [] : [`Error with PartitionRange -- ${line}`]
      }
      case 'diff.range': {
        if (!this.#begun.has(event.table)) return []
        const line = `ThreadID: ${event.worker} Processing min: ${event.from} max: ${event.to}`
        return event.error === undefined ? [line] : [line, `Error with PartitionRange -- ${line}`]
      }
      case 'difference':
        return this.#begun.has(event.table) ? differenceLines(event) : []
      case 'run.counted':
        if (!this.#begun.has(event.table)) return []
        this.#read += BigInt(event.counters['Read'] ?? 0)
        return countedLines(event)
      case 'run.finished':
        return this.#job === null ? [] : [...this.#earlier(event), ...banner(`${this.#job} - Stopped`)]
      default:
        return []
    }
  }

  #start(event: EventOf<'run.tracked'>): readonly string[] {
    const isFirst = this.#job === null
    this.#job = JOBS[event.job]
    this.#begun.set(event.table, event)
    const { min, max, splits, coverage, ranges, cdmRun, previous, pending } = event
    return [
      ...(isFirst ? banner(`${this.#job} - Starting`) : []),
      `PARAM -- Min Partition: ${min}`,
      `PARAM -- Max Partition: ${max}`,
      `PARAM -- Number of Splits : ${splits}`,
      // A run with nothing left to do has no run id, although tracking was requested.
      `PARAM -- Track Run : ${cdmRun !== undefined || pending !== undefined}`,
      ...(cdmRun === undefined ? [] : [`PARAM -- RunId : ${cdmRun}`, `PARAM -- Previous RunId : ${previous ?? '0'}`]),
      `PARAM -- Coverage Percent: ${coverage}`,
      ...(cdmRun === undefined ? [] : [`${HASHES} Run Id for this job is: ${cdmRun} ${HASHES}`]),
      ...(pending === undefined ? [] : [`${HASHES} ${pendingText(pending, previous)} ${HASHES}`]),
      `PARAM Calculated -- Total Partitions: ${ranges}`,
    ]
  }

  /**
   * The migrator's final counts are those of one run. The totals of sluice include all runs into the same tables. If
   * they differ, both are printed.
   */
  #earlier({ totals: { read, written, skipped, quarantined } }: EventOf<'run.finished'>): readonly string[] {
    if (read === undefined || BigInt(read) === this.#read) return []
    const all = `Read: ${read}; Write: ${written ?? 0}; Skipped: ${skipped ?? 0}; Error: ${quarantined ?? 0}`
    return [`The final counts are those of this run alone; with the runs before it: ${all}`]
  }

  #range({ table, worker, from, to }: EventOf<'chunk.started'>): string | null {
    const begun = this.#begun.get(table)
    if (begun === undefined) return null
    // An open bound is the end of the ring.
    return `ThreadID: ${worker} Processing min: ${from?.[0] ?? begun.min} max: ${to?.[0] ?? begun.max}`
  }
}

function pendingText(pending: string, previous: string | undefined): string {
  return `${pending} partitions pending${previous === undefined ? '' : ` from previous run id ${previous}`}`
}

/** A line with the text, padded with `#` on both sides, between two lines of `#`. */
function banner(text: string): readonly string[] {
  const inner = ` ${text} `
  const left = (RULE.length - inner.length) >> 1
  return [RULE, `${'#'.repeat(left)}${inner}${'#'.repeat(RULE.length - inner.length - left)}`, RULE]
}

function countedLines({ cdmRun, counters }: EventOf<'run.counted'>): readonly string[] {
  return [
    RULE,
    ...(cdmRun === undefined ? [] : [`RunId: ${cdmRun}`]),
    ...Object.entries(counters).map(([name, count]) =>
      name.startsWith('Partitions') ? `Final ${name}: ${count}` : `Final ${name} Record Count: ${count}`,
    ),
    RULE,
  ]
}

/** Lines for a difference. None for surplus rows of the target: the migrator does not search for them. */
function differenceLines({ difference, key, columns = [], fixed }: EventOf<'difference'>): readonly string[] {
  const row = key.join(' %% ')
  if (difference === 'missing') {
    const found = `Missing target row found for key: ${row}`
    return fixed === true ? [found, `Inserted missing row in target: ${row}`] : [found]
  }
  if (difference !== 'different') return []
  const cells = columns.map(
    ({ column, source, target }) => `Target column:${column}-origin[${source ?? 'null'}]-target[${target ?? 'null'}]; `,
  )
  const found = `Mismatch row found for key: ${row} Mismatch: ${cells.join('')}`
  return fixed === true ? [found, `Corrected mismatch row in target: ${row}`] : [found]
}
