/** Current work: chunks, and steps of archive partitions, with the rows of each so far. */
import type { EventOf } from '../../model/run/event.ts'
import type { MetricName } from './declared.ts'
import type { Series } from './series.ts'

type Chunk = { readonly table: string; readonly chunk: string }
type Rows = Extract<MetricName, 'sluice_chunks_open_rows' | 'sluice_archive_step_rows'>
type Open = { readonly table: string; readonly metric: Rows; rows: number }

export class OpenWork {
  readonly #series: Series
  /** Current work by run and task, then by table and chunk or partition. */
  readonly #open = new Map<string, Map<string, Open>>()

  constructor(series: Series) {
    this.#series = series
  }

  begun(run: string, slot: string, { table, chunk }: Chunk): void {
    this.#at(run, slot, table, `chunk ${chunk}`, 'sluice_chunks_open_rows')
  }

  progress(run: string, slot: string, { table, chunk, done }: EventOf<'chunk.progress'>): void {
    this.#move(run, this.#at(run, slot, table, `chunk ${chunk}`, 'sluice_chunks_open_rows'), Number(done))
  }

  ended(run: string, slot: string, { table, chunk }: Chunk): void {
    this.#close(run, slot, table, `chunk ${chunk}`)
  }

  step(run: string, slot: string, { table, partition, rows }: EventOf<'archive.progress'>): void {
    this.#move(run, this.#at(run, slot, table, `partition ${partition}`, 'sluice_archive_step_rows'), Number(rows))
  }

  stepEnded(run: string, slot: string, { table, partition }: EventOf<'archive.state'>): void {
    this.#close(run, slot, table, `partition ${partition}`)
  }

  /** Removes all work of a task. */
  drop(run: string, slot: string): void {
    for (const open of this.#open.get(`${run} ${slot}`)?.values() ?? []) this.#leave(run, open)
    this.#open.delete(`${run} ${slot}`)
  }

  #at(run: string, slot: string, table: string, what: string, metric: Rows): Open {
    const among = this.#open.get(`${run} ${slot}`) ?? new Map<string, Open>()
    this.#open.set(`${run} ${slot}`, among)
    const key = JSON.stringify([table, what])
    const known = among.get(key)
    if (known !== undefined) return known
    const made = { table, metric, rows: 0 }
    among.set(key, made)
    if (metric === 'sluice_chunks_open_rows') this.#series.add('sluice_chunks_open', { run, table }, 1)
    return made
  }

  #move(run: string, open: Open, rows: number): void {
    this.#series.add(open.metric, { run, table: open.table }, rows - open.rows)
    open.rows = rows
  }

  #close(run: string, slot: string, table: string, what: string): void {
    const among = this.#open.get(`${run} ${slot}`)
    const key = JSON.stringify([table, what])
    const open = among?.get(key)
    if (open === undefined) return
    among?.delete(key)
    this.#leave(run, open)
  }

  #leave(run: string, open: Open): void {
    this.#move(run, open, 0)
    if (open.metric === 'sluice_chunks_open_rows')
      this.#series.add('sluice_chunks_open', { run, table: open.table }, -1)
  }
}
