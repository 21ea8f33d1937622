/** Takes a stream: one program at a time runs it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import type { RunOwner } from '../../copy/ledger/owner.ts'
import { reclaimOthers } from '../../copy/workers/reclaim.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'

const POLL_MS = 1000

/**
 * Waits for the lease of a program on another machine; does not wait for a running program on this machine.
 * @returns the fencing token
 * @throws SluiceError LEDGER_BUSY if a running program on this machine has the stream
 */
export async function takeStream(ledger: StreamLedger, stream: string, run: CopyRun): Promise<number> {
  for (let reported = false; ; reported = true) {
    const got = await ledger.lease.take(stream)
    if (typeof got === 'number') {
      await freeChunks(ledger, stream, run)
      return got
    }
    const who = `process ${got.pid ?? '?'} on ${got.host ?? 'another machine'}`
    if (got.machine === run.owner.machine) {
      throw new SluiceError('LEDGER_BUSY', `${who} follows these tables`, {
        hint: 'end that process with ctrl-c, or with sluice ctl RUN stop; to list the runs of this machine, use sluice ctl',
      })
    }
    const message = `${who} follows these tables; waiting until its lease ends`
    if (!reported) run.emit({ type: 'log', level: 'note', message })
    await sleep(POLL_MS, undefined, { signal: run.interrupt.stop }).catch(() => undefined)
    throwIfAborted(run.interrupt.stop)
  }
}

/**
 * Frees chunks that other programs have read for the copy. Later changes of their rows may have been left out already,
 * and the log with these changes may be gone. The other programs can no longer write these chunks.
 */
async function freeChunks(ledger: StreamLedger, stream: string, run: CopyRun): Promise<void> {
  const { database } = ledger
  const owner: RunOwner = { ...run.owner, runId: BigInt(run.runId) }
  for (const { key, source } of await ledger.toCopy(stream)) {
    for (const { chunk, why } of await reclaimOthers(database, new ChunkLedger(database, key, owner), owner))
      run.emit({ type: 'chunk.released', table: source, chunk: String(chunk.no), reason: why })
  }
}
