/** The closing summary of a copy in the style of the parallel script: one line per table, problems first. */
import type { CopySummaryLine, EventOf } from '../model/run/event.ts'
import type { Block, MakeBlock } from './block.ts'
import { durationText, grouped, plural } from '../shared/figures.ts'
import { pad } from './cells.ts'

export class ScriptLines {
  #fallback = 0

  fellBack({ rows }: EventOf<'rows.fallback'>): void {
    this.#fallback += Number(rows)
  }

  summary({ tables }: EventOf<'copy.summary'>, block: MakeBlock): readonly Block[] {
    const width = Math.min(40, Math.max(...tables.map(({ table }) => table.length)))
    const counts = tables.filter(({ status, error }) => status === 'ok' && error === undefined).length
    const failed = tables.length - counts
    const head = `summary: ${grouped(counts)} of ${plural(tables.length, 'table')} ok${failed === 0 ? '' : `, ${grouped(failed)} not`}`
    return [block('note', head), ...tables.map((line) => lineOf(line, width, block)), ...this.weakWrites(block)]
  }

  /** A line about rows that were written at a weaker consistency level; only the first call returns it. */
  weakWrites(block: MakeBlock): readonly Block[] {
    if (this.#fallback === 0) return []
    const rows = plural(this.#fallback, 'row')
    this.#fallback = 0
    const what = `${rows} could only be written at ONE: sluice quarantine retry checks them again at the requested level`
    return [block('note', what)]
  }
}

function lineOf(line: CopySummaryLine, width: number, block: MakeBlock): Block {
  const { table, status, error } = line
  const isOk = status === 'ok' && error === undefined
  const text = `${pad(table, width)}  ${factsOf(line).join(', ')}${error === undefined ? '' : `  ${error.code}`}`
  return block(isOk ? 'ok' : status === 'failed' || status === 'refused' ? 'FAILED' : 'note', text, {
    table,
    ...(isOk ? {} : { code: error?.code ?? 'STOPPED', problem: status === 'failed' || status === 'refused' }),
  })
}

function factsOf(line: CopySummaryLine): readonly string[] {
  const { status, written, earlier, failed, fallback, recovered, unrecovered, ms, rowsPerSecond } = line
  return [
    status === 'ok' ? 'success' : status,
    `${plural(String(BigInt(written) + BigInt(earlier ?? 0)), 'row')} ok${earlier === undefined ? '' : ` (${grouped(earlier)} of them before this run)`}`,
    `${grouped(failed)} failed`,
    `${grouped(fallback)} at ONE`,
    `${durationText(ms)}, ${grouped(rowsPerSecond)} rows/s`,
    ...(recovered === '0' ? [] : [`${plural(recovered, 'recoverable error')}, all passed`]),
    ...(unrecovered === '0' ? [] : [plural(unrecovered, 'permanent error', 'permanent errors')]),
  ]
}
