/** Results per table of a copy, in this run and earlier runs, computed from its events. */
import { dec, type CopySummaryLine, type Dec, type TableStatus } from '../../../../model/run/event.ts'
import type { CopyEvent } from '../../copy-run.ts'
import type { ErrorInfo } from '../../../../shared/errors.ts'

type TableSums = {
  status: TableStatus
  written: bigint
  /** Rows in the target and quarantined rows, from all runs; null if the table did not finish. */
  all: { readonly there: bigint; readonly quarantined: bigint } | null
  failed: bigint
  fallback: bigint
  recovered: number
  unrecovered: number
  ms: number
  error?: ErrorInfo
}

export class CopySummary {
  readonly #tables = new Map<string, TableSums>()
  readonly #retries = new Map<string, number>()

  event(event: CopyEvent): void {
    switch (event.type) {
      case 'copy.started':
        this.#at(event.table)
        break
      case 'chunk.done': {
        const sums = this.#at(event.table)
        sums.written += BigInt(event.written ?? event.done)
        sums.failed += BigInt(event.quarantined ?? 0)
        sums.unrecovered += Number(event.quarantined ?? 0)
        sums.recovered += this.#takeRetries(event)
        break
      }
      case 'chunk.retried':
        this.#retries.set(chunkName(event), (this.#retries.get(chunkName(event)) ?? 0) + 1)
        break
      case 'chunk.failed':
        this.#takeRetries(event)
        this.#at(event.table).unrecovered += 1
        break
      case 'rows.fallback':
        this.#at(event.table).fallback += BigInt(event.rows)
        break
      case 'table.finished': {
        const sums = this.#at(event.table)
        sums.status = event.status
        sums.ms = event.ms
        if (event.copied !== undefined) {
          const { written, skipped, quarantined } = event.copied
          sums.all = { there: BigInt(written) + BigInt(skipped), quarantined: BigInt(quarantined) }
        }
        if (event.error === undefined) delete sums.error
        else sums.error = event.error
        break
      }
      default:
    }
  }

  /**
   * Order: failed tables, then stopped or skipped tables, then tables with rows below the requested consistency level,
   * then all others. Tables of one group are in start order.
   */
  lines(): readonly CopySummaryLine[] {
    const lines = [...this.#tables].map(([table, sums]) => ({ table, sums, weight: weightOf(sums) }))
    return lines
      .toSorted((a, b) => b.weight - a.weight)
      .map(({ table, sums }) => ({
        table,
        status: sums.status,
        written: dec(sums.written),
        ...earlierOf(sums),
        failed: dec(sums.all?.quarantined ?? sums.failed),
        fallback: dec(sums.fallback),
        recovered: dec(sums.recovered),
        unrecovered: dec(sums.unrecovered),
        ms: sums.ms,
        rowsPerSecond: dec(sums.ms === 0 ? 0 : Math.round((Number(sums.written) * 1000) / sums.ms)),
        ...(sums.error === undefined ? {} : { error: sums.error }),
      }))
  }

  /** Removes the retries of a chunk, and returns their number: they count as recovered only once the chunk is done. */
  #takeRetries(event: { readonly table: string; readonly chunk: string }): number {
    const retries = this.#retries.get(chunkName(event)) ?? 0
    this.#retries.delete(chunkName(event))
    return retries
  }

  #at(table: string): TableSums {
    const known = this.#tables.get(table)
    if (known !== undefined) return known
    const sums: TableSums = {
      // Initial status: it remains if no later event reports a status of the table.
      status: 'stopped',
      written: 0n,
      all: null,
      failed: 0n,
      fallback: 0n,
      recovered: 0,
      unrecovered: 0,
      ms: 0,
    }
    this.#tables.set(table, sums)
    return sums
  }
}

/** Rows of earlier runs: the ledger's counts include chunks that were done before this run. */
function earlierOf({ written, all }: TableSums): { readonly earlier?: Dec } {
  return all === null || all.there <= written ? {} : { earlier: dec(all.there - written) }
}

function chunkName({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return `${table}\n${chunk}`
}

function weightOf({ status, fallback, error }: TableSums): number {
  if (status === 'failed' || status === 'refused' || error !== undefined) return 3
  if (status === 'stopped' || status === 'skipped') return 2
  return fallback > 0n ? 1 : 0
}
