/**
 * Which target a stream belongs to. A copy of the target has the same ledger, and would advance the slot beyond the
 * position of the original. So the source records the target: address and facts of its database, and an owner that
 * each start replaces (decision 18). The ledger records the same owners in `StreamStart.owners`.
 */
import { randomUUID } from 'node:crypto'
import { errorLine, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { Origin } from '../../../model/copy/identification-port.ts'
import { addressOf } from '../../../stores/common/follower-note.ts'
import type { ChangeSource, RecordedTarget, StreamStart } from '../../../model/follow/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'

/** Facts that stay the same if a standby is promoted: if one differs, another database has the same address. */
const LASTING_FACTS = ['system', 'database'] as const
/** Facts that each identify one server, independent of its address. */
const SERVER_FACTS = ['system', 'server'] as const
/** Tolerance in seconds for start times that a server derives from whole seconds. */
const START_TOLERANCE_S = 2
/** Facts that together identify one file. */
const FILE_FACTS = ['file', 'made'] as const

/**
 * Another target that the source has recorded. `moved`: it has the same ledger, but another address or database.
 * `elsewhere`: another target has taken the stream since.
 */
type OtherTarget = { readonly place: 'moved' | 'elsewhere'; readonly noted: RecordedTarget }

type Target = Pick<RecordedTarget, 'address' | 'origin'>
type TargetStore = Pick<CopyStore, 'label' | 'offers'>
type StartRequest = Pick<CopyRun, 'interrupt' | 'sharedRun'>

/** @returns `other`: the recorded target if it is not this one; `noted`: the recorded target; `now`: this one */
export async function compareRecordedTarget(
  { slot, owners = [] }: StreamStart,
  changes: ChangeSource,
  to: TargetStore,
  { interrupt: { abort: signal }, sharedRun }: StartRequest,
): Promise<{ readonly other: OtherTarget | null; readonly noted: RecordedTarget | null; readonly now: Target }> {
  const noted = await changes.recordedTarget(slot, signal)
  const now = await targetNow(to, signal)
  // A matching target whose ledger lacks the recorded owner is a promoted standby, or was restored from a backup. The
  // check of positions detects missing changes.
  const isShared = sharedRun !== undefined && owners.includes(noted?.owner ?? '')
  if (noted === null || isSameTarget(noted, now, isShared)) return { other: null, noted, now }
  return { other: { place: owners.includes(noted.owner) ? 'moved' : 'elsewhere', noted }, noted, now }
}

/** @throws SluiceError STREAM_MOVED, before anything is read from the slot */
export async function refuseMoved(
  stream: string,
  startRecord: StreamStart,
  changes: ChangeSource,
  to: TargetStore,
  run: StartRequest,
): Promise<void> {
  const { other, now } = await compareRecordedTarget(startRecord, changes, to, run)
  if (other !== null) throw movedError(stream, other, now)
}

/** Refuses to continue a run of the stream if another target was confirmed since. @throws SluiceError STREAM_MOVED */
export async function refuseTakenOver(
  stream: string,
  startRecord: StreamStart,
  changes: ChangeSource,
  to: TargetStore,
  run: StartRequest,
): Promise<void> {
  const noted = await changes.recordedTarget(startRecord.slot, run.interrupt.abort)
  if (noted !== null && startRecord.owners?.includes(noted.owner) !== true)
    await refuseMoved(stream, startRecord, changes, to, run)
}

/**
 * Records this target under a new owner: first in the ledger, so that after a kill between the two the ledger still has
 * the owner that the source has. If the source refuses the record, the run continues only if no other target is
 * recorded.
 * @param startRecord read from the ledger after this program took the stream
 * @param isMoved true if the user has confirmed that this target replaces the recorded one
 * @returns the stream's start data from here on
 * @throws SluiceError STREAM_MOVED if another target is recorded; SOURCE_DENIED if this one was confirmed and the
 * login has no right to record it
 */
export async function recordTarget(
  stream: string,
  startRecord: StreamStart,
  {
    changes,
    ledger,
    to,
    isMoved,
  }: {
    readonly changes: ChangeSource
    readonly ledger: StreamLedger
    readonly to: TargetStore
    readonly isMoved: boolean
  },
  run: CopyRun,
): Promise<StreamStart> {
  const signal = run.interrupt.abort
  const { other, noted, now } = await compareRecordedTarget(startRecord, changes, to, run)
  if (other !== null && !isMoved) throw movedError(stream, other, now)
  const was = noted?.owner ?? null
  const follower: RecordedTarget = {
    ...now,
    owner: randomUUID(),
    addresses: addressesOf(now, other === null ? noted : null),
  }
  const known: StreamStart = {
    ...startRecord,
    owners: [...(was === null || other?.place === 'elsewhere' ? [] : [was]), follower.owner],
  }
  await ledger.database.batch([ledger.startStatement(stream, known)])
  try {
    if (await changes.recordTarget(startRecord.slot, follower, was, signal)) return known
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'SOURCE_DENIED') throw error
    if (other !== null) throw cannotRecord(stream, startRecord, other.noted, error)
    const message = `the source could not record the target of stream ${stream}: a copy of the target could receive its changes instead`
    const hint = `make this login the owner of the publication or schema ${startRecord.slot} at the source`
    run.emit({ type: 'log', level: 'warn', message, hint })
    return known
  }
  const since = (await changes.recordedTarget(startRecord.slot, signal)) ?? follower
  throw movedError(stream, { place: 'elsewhere', noted: since }, follower)
}

async function targetNow(to: TargetStore, signal: AbortSignal): Promise<Target> {
  const origin = (await to.offers.identification?.origin(signal)) ?? {}
  const started = (await to.offers.identification?.started(signal)) ?? null
  return { address: addressOf(to.label), origin: started === null ? origin : { ...origin, started } }
}

/** @param noted the same target, as recorded before; null for another one */
function addressesOf({ address }: Target, noted: RecordedTarget | null): readonly string[] {
  return [...new Set([...(noted === null ? [] : [noted.address, ...(noted.addresses ?? [])]), address])]
}

/**
 * @param isShared true if the queue identified this database as the run's (decision 15), and the ledger contains the
 * recorded owner
 */
function isSameTarget(noted: RecordedTarget, now: Target, isShared: boolean): boolean {
  const [was, is] = [noted.origin, now.origin]
  if (FILE_FACTS.every((fact) => was[fact] !== undefined && was[fact] === is[fact])) return true
  const isKnownAddress = isShared && noted.addresses?.includes(now.address) === true
  if (noted.address !== now.address && !isKnownAddress && !(isShared && isSameServer(was, is))) return false
  return LASTING_FACTS.every((fact) => was[fact] === undefined || is[fact] === undefined || was[fact] === is[fact])
}

/** True if two addresses lead to one server. A copy of all its files has the same ids, but another start time. */
function isSameServer(was: Origin, is: Origin): boolean {
  if (!SERVER_FACTS.some((fact) => isKnown(was[fact]) && was[fact] === is[fact])) return false
  if (was['timeline'] !== undefined && is['timeline'] !== undefined && was['timeline'] !== is['timeline']) return false
  return wasStartedOnce(was['started'], is['started'])
}

/** True if both start times are the same, or one is unknown: older programs record none. */
function wasStartedOnce(was: string | undefined, is: string | undefined): boolean {
  if (was === undefined || is === undefined || was === is) return true
  return (
    was.startsWith('~') &&
    is.startsWith('~') &&
    Math.abs(Number(was.slice(1)) - Number(is.slice(1))) <= START_TOLERANCE_S
  )
}

/** False for an absent fact, and for a bare prefix: a MariaDB without a server id records only the prefix. */
function isKnown(fact: string | undefined): boolean {
  return fact !== undefined && !fact.endsWith(':')
}

/** Error if this target cannot be recorded: without the record, both targets could take the stream. */
function cannotRecord(stream: string, { slot }: StreamStart, noted: RecordedTarget, cause: SluiceError): SluiceError {
  return new SluiceError('SOURCE_DENIED', `the source could not record this target for stream ${stream}`, {
    where: cause.where,
    reason: `${targetText(noted)} stays the target of the stream: ${errorLine(cause.info())}`,
    hint: `make this login the owner of the publication or schema ${slot} at the source, then run the same command again`,
    cause,
  })
}

function movedError(stream: string, { place, noted }: OtherTarget, now: Target): SluiceError {
  const [there, here] = [targetText(noted), targetText(now)]
  if (place === 'elsewhere') {
    return new SluiceError('STREAM_MOVED', `stream ${stream} now writes into another target: ${there}`, {
      reason: `this target is ${here}, but the source has recorded ${there} as the target; nothing was read from the source`,
      hint: `if this target is the right one, stop the program that writes into the other one, then run sluice follow ${stream} --moved; otherwise end the stream only in this ledger: sluice follow ${stream} --end`,
    })
  }
  return new SluiceError('STREAM_MOVED', `stream ${stream} wrote into ${there}, but this target is ${here}`, {
    reason: 'one of the two targets may be a copy of the other; nothing was read from the source',
    hint: `if this target replaces the earlier one, run sluice follow ${stream} --moved, after which the earlier one is refused; if this target is a copy, run the stream only with the earlier one`,
  })
}

/** Target as text for messages. */
export function targetText({ address, origin }: Target): string {
  const facts = Object.entries(origin).map(([name, value]) => `${name} ${value}`)
  return facts.length === 0 ? address : `${address} (${facts.join(', ')})`
}
