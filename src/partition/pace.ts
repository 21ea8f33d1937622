/** Reports the speed of a copy into partitions, and the speed that the window requires. */
import type { PeriodOptions } from '../model/copy/period-marks.ts'
import { dec, type Emit } from '../model/run/event.ts'
import type { Clock } from '../shared/clock.ts'
import type { CopyEvent } from '../engine/copy/copy-run.ts'
import { byPriority, partitionsOfRange, periodParts, type PeriodRange } from '../engine/copy/plan/period-cut.ts'
import { newPartitionName } from './planned-periods.ts'
import type { FilledPeriod } from './filled-periods.ts'
import { bytesPerHour, neededPerHour } from './forecast.ts'

const REPORT_EVERY_MS = 10_000

type Estimate = { readonly rows: bigint; readonly bytes: bigint }

export class CopyPace {
  readonly #table: string
  readonly #parts: readonly PeriodRange[]
  /** Names of partitions in copy order. */
  readonly #order: readonly string[]
  readonly #estimates: ReadonlyMap<string, Estimate>
  readonly #endsAt: number | null
  readonly #run: { readonly emit: Emit<'partition.pace'>; readonly clock: Clock }
  readonly #rows = new Map<string, bigint>()
  readonly #completed = new Set<string>()
  #bytes = 0
  #since: number | null = null
  readonly #timer: NodeJS.Timeout

  /**
   * @param filled rows and bytes on disk per period, counted or estimated before the copy
   * @param endsAt end of the window, ms since the epoch; null without a window
   */
  constructor(
    table: string,
    options: PeriodOptions,
    filled: readonly FilledPeriod[],
    endsAt: number | null,
    run: { readonly emit: Emit<'partition.pace'>; readonly clock: Clock },
  ) {
    this.#table = table
    this.#parts = periodParts(options)
    this.#order = [...new Set(byPriority(options).flatMap(({ mark }) => mark.partition ?? []))]
    const labels = new Map(options.marks.map(({ label, partition }) => [label, partition]))
    this.#estimates = new Map(
      filled.map(({ period, rows, bytes }) => [
        labels.get(period.label) ?? newPartitionName(table, period.label),
        { rows, bytes },
      ]),
    )
    this.#endsAt = endsAt
    this.#run = run
    this.#timer = setInterval(() => this.report(), REPORT_EVERY_MS).unref()
  }

  event(event: CopyEvent): void {
    if (event.type === 'partition.landed' && event.slice === undefined) this.#completed.add(event.partition)
    if (event.type === 'follow.table' && event.state !== 'copying') this.end()
    if (event.type === 'chunk.started') this.#since ??= this.#run.clock.ticks()
    if (event.type !== 'chunk.done' && event.type !== 'chunk.skipped') return
    const range = { by: 'key', after: event.from ?? null, through: event.to ?? null } as const
    const [partition, ...others] = partitionsOfRange(this.#parts, range)
    if (partition === undefined || others.length > 0) return
    const rows = BigInt(event.written ?? 0)
    this.#rows.set(partition, (this.#rows.get(partition) ?? 0n) + rows)
    const { rows: all, bytes } = this.#estimates.get(partition) ?? { rows: 0n, bytes: 0n }
    if (event.type === 'chunk.done' && all > 0n) this.#bytes += (Number(rows) * Number(bytes)) / Number(all)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  report(): void {
    const { clock, emit } = this.#run
    const partition = this.#order.find((one) => !this.#completed.has(one) && this.#estimates.has(one))
    if (partition === undefined || this.#since === null || this.#bytes === 0) return
    const { rows: total, bytes } = this.#estimates.get(partition) ?? { rows: 0n, bytes: 0n }
    const rows = this.#rows.get(partition) ?? 0n
    const share = total === 0n ? 1 : Math.min(1, Number(rows) / Number(total))
    const left = BigInt(Math.round(Number(bytes) * (1 - share)))
    const leftMs = this.#endsAt === null ? null : Math.max(1, this.#endsAt - clock.now())
    emit({
      type: 'partition.pace',
      table: this.#table,
      partition,
      rows: dec(rows),
      total: dec(total),
      bytesPerHour: dec(bytesPerHour(BigInt(Math.round(this.#bytes)), clock.ticks() - this.#since)),
      ...(leftMs === null ? {} : { neededPerHour: dec(neededPerHour(left, leftMs)), leftMs: Math.round(leftMs) }),
    })
  }
}
