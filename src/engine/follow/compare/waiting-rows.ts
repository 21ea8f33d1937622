/** Rows of live tables that wait to be read again: a command named them, or a comparison found them to differ. */
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { LoopParts } from '../apply/loop-parts.ts'
import { atSnapshot } from './common-snapshot.ts'
import type { PacedStream } from '../stream/paced-stream.ts'
import { repairRows } from './rereads.ts'

/** A table with its number in the stream. */
type Waiting = readonly [at: number, table: FollowTable]

type Repaired = {
  readonly table: string
  readonly state: 'live' | 'copying'
  readonly reread: string
  readonly mended: string
}

/** Tables with waiting rows that can be read again now. */
export async function waitingTables({ states, ledger, stream, tables }: LoopParts): Promise<readonly Waiting[]> {
  const waiting = await ledger.rereads.tables(stream)
  return [...tables.entries()].filter(
    ([at, { key }]) =>
      (states.list[at] === 'live' || states.part(at) !== null) &&
      waiting.some(
        ({ schema, name, reason }) =>
          schema === key.schema && name === key.name && (reason !== 'bound' || states.part(at) === null),
      ),
  )
}

/** Reads the rows again in a common snapshot of both sides. @returns false if there was no snapshot: retry later */
export async function repairWaiting(
  waiting: readonly Waiting[],
  parts: LoopParts,
  applyWorkers: ApplyWorkers,
  source: PacedStream,
): Promise<boolean> {
  const { states, stream, changes, run } = parts
  const signal = run.interrupt.abort
  const repair = async (view: SourceView): Promise<readonly Repaired[]> => {
    const repaired: Repaired[] = []
    for (const [at, table] of waiting) {
      const part = states.part(at)
      const { read, mended: changed } = await repairRows(view, applyWorkers, stream, table, at, {
        ...parts,
        signal,
        part,
      })
      const state = part === null ? 'live' : 'copying'
      if (read > 0) repaired.push({ table: table.name, state, reread: String(read), mended: String(changed) })
    }
    return repaired
  }
  const got = await atSnapshot({ ...parts, applyWorkers, stream: source.unpaced, signal }, repair)
  if (typeof got === 'string') return false
  for (const one of got.value) run.emit({ type: 'follow.table', position: changes.text(got.position), ...one })
  return true
}
