/**
 * Compares the tables of a sign-off now. If a program runs the stream, it finds the request in the ledger and compares;
 * otherwise this program compares. Results of earlier rounds are not used.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { asSluiceError, errorFromInfo } from '../../../shared/errors.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { AnsweredSignOff, SignOffLedger } from '../ledger/sign-offs.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { copyAndFollow } from '../stream/companion.ts'

const POLL_MS = 500
/** After this wait (ms), possible reasons are reported. */
const LONG_MS = 30_000

export type CompareParts = {
  /** Id of the sign-off. */
  readonly id: string
  readonly stream: string
  /** Operation with which the stream began. */
  readonly operation: CopyOperation
  /** Opens the ledger. It is closed while this program runs the stream, because a file can be opened only once. */
  readonly open: () => Promise<OpenLedger>
  readonly run: CopyRun
}

export type OpenLedger = AsyncDisposable & { readonly signOffs: SignOffLedger; readonly streams: StreamLedger }

/** @returns null if the run was stopped @throws the errors of a stream */
export async function compareNow(parts: CompareParts): Promise<AnsweredSignOff | null> {
  const { run } = parts
  for (;;) {
    const answer = await waitUntilFree(parts)
    if (answer !== 'free') return answer
    throwIfAborted(run.interrupt.abort)
    if (run.interrupt.stop.aborted || !(await runUntilCompared(parts))) return null
  }
}

/**
 * @returns the answer of the program that runs the stream, `free` if none does, and null if this run was stopped
 * @throws SluiceError why that program could not compare the tables
 */
async function waitUntilFree({ id, stream, open, run }: CompareParts): Promise<AnsweredSignOff | 'free' | null> {
  await using ledger = await open()
  const { signOffs, streams } = ledger
  const since = run.clock.ticks()
  let [reported, long] = [false, false]
  for (;;) {
    throwIfAborted(run.interrupt.abort)
    if (run.interrupt.stop.aborted) return null
    const answer = await signOffs.answered(id)
    if (answer !== null) return answer
    const refused = await signOffs.refused(id)
    if (refused !== null) throw errorFromInfo(refused)
    const holder = await streams.lease.currentOwner(stream)
    if (holder === null) return 'free'
    const who = `process ${holder.pid ?? '?'} on ${holder.host ?? 'another machine'}`
    if (!reported) note(run, `${who} runs the stream; it was requested to compare both sides as of one snapshot`)
    reported = true
    if (!long && run.clock.ticks() - since > LONG_MS && (await signOffs.step(id)) === 'asked') {
      note(run, `${who} has not begun to compare: it is behind, a table is not live, or it is of an older version`)
      long = true
    }
    await sleep(POLL_MS, undefined, { signal: run.interrupt.stop }).catch(() => undefined)
  }
}

/** Runs the stream until the sign-off is compared. @returns false if the run was stopped */
async function runUntilCompared({ id, operation, run }: CompareParts): Promise<boolean> {
  try {
    const { alert: _alert, proveEveryMs: _every, ...follow } = operation.follow ?? {}
    const ending = await copyAndFollow(
      { ...operation, restart: false, follow: { ...follow, until: { signOff: id } } },
      run,
    )
    if (ending.error !== undefined) throw ending.error
    return ending.stopped !== true
  } catch (error) {
    // Another program has just taken the stream, and compares.
    if (asSluiceError(error).code !== 'LEDGER_BUSY') throw error
    await sleep(POLL_MS)
    return true
  }
}

function note(run: CopyRun, message: string): void {
  run.emit({ type: 'log', level: 'note', message })
}
