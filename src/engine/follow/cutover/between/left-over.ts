/** Resumes or undoes a cutover between two databases whose program was killed. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { SwitchSide } from '../../../../model/follow/switch-side-port.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { tookText } from '../../../../shared/figures.ts'
import type { CutoverRun } from '../../operations/cutover/declaration.ts'
import { streamName } from '../../stream/end-stream.ts'
import { BlockedTimes, type BlockedTime } from '../approach.ts'
import { findingsCheck } from '../cutover-checks.ts'
import { reverseFault } from '../reverse-stream.ts'
import { hasSwitched, type CutoverRow } from '../cutover-row.ts'
import { changeOf } from './change-of.ts'
import { documentOf, type BetweenDocument } from './document.ts'
import { cutoverCapabilities, type CutoverCapabilities, type Between } from './sides.ts'
import { targetToken } from './token.ts'

/**
 * @property isOpen true if the target is open to writers @property waited how long attempts of killed programs blocked
 * writers
 */
export type LeftOverResult = { readonly isOpen: boolean; readonly waited?: BlockedTime }

/** Timeout of the cleanup, ms. */
const END_MS = 30_000

/**
 * Opens the target to writers if both sides were proved equal, the source is still closed and was not altered, and the
 * reverse stream misses no change. Otherwise opens the source again.
 * @param isWanted true if the command asks for a cutover of this table in this direction, and confirms it
 * @returns whether the target is open now; if not, how long the attempts blocked writers
 * @throws SluiceError LEDGER_BUSY if a running program makes the cutover
 */
export async function finishLeftOver(
  between: Between,
  able: CutoverCapabilities,
  row: CutoverRow,
  isWanted: (table: TableName) => boolean,
  run: CutoverRun,
): Promise<LeftOverResult> {
  const { opens, stream } = between
  if (row.status === 'preparing')
    return { isOpen: false, waited: blockedTimeOf(documentOf(await opens.switches.document(row.id))) }
  const fence = await opens.streams.lease.take(stream.id)
  if (typeof fence !== 'number') {
    throw new SluiceError(
      'LEDGER_BUSY',
      `process ${fence.pid ?? '?'} on ${fence.host ?? 'another machine'} runs this cutover`,
      {
        hint: 'wait until it has ended; if it was killed, its lease expires half a minute later',
      },
    )
  }
  const held = { stream: stream.id, fence }
  const signal = AbortSignal.timeout(END_MS)
  try {
    const standing = await opens.steps.stateOf(row.id)
    if (standing === null) return { isOpen: false }
    const document = documentOf(standing.document)
    const { token, closes, opens: to, mark, closingMs } = document
    if (standing.status === 'preparing') return { isOpen: false, waited: blockedTimeOf(document) }
    const waits = new BlockedTimes(document.earlier)
    const paused = async (): Promise<void> => {
      waits.add(closingMs === undefined ? null : (await opens.steps.now()) - closingMs)
    }
    const isWhole = isWanted(closes.table) && standing.status === 'proved' && mark !== undefined && token !== undefined
    const isReady = isWhole && (await able.closing.isClosed(closes.table, token, signal))
    const fault = isReady ? await openingFault(able, document, signal) : null
    if (isReady && fault === null) {
      const outcome = await able.opening.open(to.table, { text: mark }, opens.steps.opening(row.id, held), signal)
      if (outcome === 'opened') {
        await paused()
        const ms = Math.max(waits.longestMs, row.pauseMs ?? 0)
        await opens.switches.noteWait(row.id, ms)
        const detail = `a program was killed when both sides were proved equal: the target is open now; writers had no table to write to for ${waits.all.isLeast ? 'at least ' : ''}${tookText(ms)}`
        run.emit({ type: 'cutover.step', step: 'went on', detail })
        return { isOpen: true }
      }
    }
    const status = await opens.steps.withdraw(row.id, held, 'preparing')
    if (hasSwitched(status)) return { isOpen: true }
    if (status !== 'preparing') {
      throw new SluiceError('LEDGER_BUSY', `another program continues cutover ${row.id}, at step ${status}`, {
        hint: 'wait until it has ended',
      })
    }
    await able.closing.release(closes.table, token ?? '', signal)
    await paused()
    const now = await openOrNot(able.closing, closes.table, signal)
    const detail = `a program was killed at step ${standing.status}${fault === null ? '' : `, and ${fault}`}: ${now}`
    run.emit({ type: 'cutover.step', step: 'taken back', detail })
    return { isOpen: false, waited: waits.all }
  } finally {
    await opens.streams.lease.release(stream.id)
  }
}

/** Why the target may not be opened, although both sides were proved equal; null if it may. */
async function openingFault(
  { closing, opening, back }: CutoverCapabilities,
  { closes, opens, reverse, sourceMark }: BetweenDocument,
  signal: AbortSignal,
): Promise<string | null> {
  const lost = reverse === undefined ? null : await reverseFault(back, reverse, [], signal)
  if (lost !== null) return lost
  const check = findingsCheck(await opening.inspect(opens.table, await closing.facts(closes.table, signal), signal))
  if (check.state === 'refused') return check.detail
  // The closed table can be altered: inspect it last.
  return sourceMark === undefined ? null : await changeOf(closing, closes.table, { text: sourceMark }, signal)
}

/** State of the source after its release, as text for a message: another cutover may have closed it since. */
async function openOrNot(closing: SwitchSide, table: TableName, signal: AbortSignal): Promise<string> {
  const token = await closing.closedBy(table, signal)
  return token === null ? 'the source is open again' : `another cutover has closed the source (${token})`
}

/** How long undone attempts of a killed program blocked writers. The end of the last attempt is not recorded. */
function blockedTimeOf({ earlier, token }: BetweenDocument): BlockedTime {
  const waits = new BlockedTimes(earlier)
  if (token !== undefined) waits.add(null)
  return waits.all
}

/**
 * Warns if the table that a cutover should have closed is not closed: users may then write to both databases.
 * @param between state after the cutover: that table is in `opens`
 */
export async function warnOpenSource(between: Between, { id }: CutoverRow, run: CutoverRun): Promise<void> {
  const { closes: opened, opens: closed, stream } = between
  if (stream.status !== 'active') return
  const { token, closes: side } = documentOf(await opened.switches.document(id))
  const { opening } = cutoverCapabilities(between)
  if (token === undefined || (await opening.isClosed(side.table, token, run.interrupt.abort))) return
  const message = `${tableText(side.table)} of ${closed.store.label} is not closed by the cutover: users may write to both databases`
  const hint = `compare both tables, and stop the writers of ${closed.store.label}`
  run.emit({ type: 'log', level: 'warn', message, hint })
}

/** Removes what was created for an abandoned cutover, unless another program now owns the stream. */
export async function givenUp(
  { opens, stream, family }: Between,
  { closing, opening, back }: CutoverCapabilities,
  id: string,
  report: (detail: string) => void,
): Promise<void> {
  const fence = await opens.streams.lease.take(stream.id)
  if (typeof fence !== 'number') return
  const signal = AbortSignal.timeout(END_MS)
  try {
    const standing = await opens.steps.stateOf(id)
    if (standing === null) return
    // Update the ledger first, so that no program opens the target any more; then open the source.
    if ((await opens.steps.withdraw(id, { stream: stream.id, fence }, 'given up')) !== 'given up') return
    const { token, closes, opens: to } = documentOf(standing.document)
    if (token !== undefined) {
      await closing.release(closes.table, token, signal)
      await closing.tidy(closes.table, signal)
    }
    // From the second cutover on, the previous cutover has closed the target: leave it closed.
    if (family.turns.length === 0) {
      await opening.release(to.table, targetToken(id), signal)
      await opening.tidy(to.table, signal)
    }
    await back.end(streamName(id), signal)
    report(`${await openOrNot(closing, closes.table, signal)}; slot and publication ${streamName(id)} are removed`)
  } finally {
    await opens.streams.lease.release(stream.id)
  }
}
