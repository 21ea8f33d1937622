/** A uniform sample of a table's active files, in one pass and bounded memory; the same files every time. */
import { activeFiles, type FileRecord } from '../../../catalog/query/files.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { LOOP_TURN_MS } from './answer.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'

const SIZE = 1_000

/** Reservoir sampling with a fixed seed, so that a second comparison asks the same questions. */
class Reservoir {
  readonly files: FileRecord[] = []
  #seen = 0
  #state = 0x2545f491

  offer(file: FileRecord): void {
    this.#seen++
    if (this.files.length < SIZE) {
      this.files.push(file)
      return
    }
    const at = this.#random() % this.#seen
    if (at < SIZE) this.files[at] = file
  }

  /** Next number of a xorshift32 generator. */
  #random(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state
  }
}

export async function sampleFiles(
  reader: SqlReader,
  tableId: string,
  version: number,
  signal: AbortSignal,
): Promise<readonly FileRecord[]> {
  const reservoir = new Reservoir()
  let turn = performance.now()
  for await (const page of activeFiles(reader, tableId, version)) {
    // A file database answers without ever waiting: give the event loop a turn, so that a stop is noticed.
    if (performance.now() - turn > LOOP_TURN_MS) {
      await breathe()
      turn = performance.now()
    }
    throwIfAborted(signal)
    for (const file of page) reservoir.offer(file)
  }
  return reservoir.files
}
