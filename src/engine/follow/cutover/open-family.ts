/** State before a cutover: the ledger, the streams that earlier cutovers link (the family), and the one in use. */
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChangeSource } from '../../../model/follow/port.ts'
import type { SwitchStore } from '../../../model/follow/switch-port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { refuseOtherLedger } from '../../copy/ledger/other-ledgers.ts'
import { openExisting } from '../../copy/open-stores.ts'
import { onSide } from '../../copy/sides.ts'
import { streamName } from '../stream/end-stream.ts'
import { cdcOf } from '../stream/known-stream.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'
import { StreamLedger } from '../../copy/ledger/streams.ts'
import { streamNamed, type NamedStream } from '../../copy/ledger/stream-lookup.ts'
import { knowsStream, namedStream } from '../stream/named-stream.ts'
import { familyOf, type Family } from './family.ts'
import { CutoverLedger } from './cutover-ledger.ts'
import type { CutoverRow } from './cutover-row.ts'

export type OpenedFamily = AsyncDisposable & {
  readonly store: CopyStore
  readonly database: LedgerDatabase
  readonly ledger: CutoverLedger
  readonly streams: StreamLedger
  readonly family: Family
  /** The stream that is in use. */
  readonly stream: NamedStream
}

/** @param stream id of a stream of the family, or of its run @throws SluiceError NO_SUCH_TABLE, CONNECT_FAILED */
export async function openFamily(url: string, stream: string, run: CopyRun): Promise<OpenedFamily> {
  const store = await onSide('target', () => openExisting(url))
  const open: AsyncDisposable[] = [store]
  const close = async (): Promise<void> => {
    for (const one of open.toReversed()) await one[Symbol.asyncDispose]()
  }
  try {
    const database = await store.ledger()
    open.push(database)
    const owner = { ...run.owner, runId: BigInt(run.runId) }
    const ledger = new CutoverLedger(database, owner)
    await refuseOtherLedger(store, database, `stream ${stream} is`, knowsStream(stream), run.interrupt.abort)
    const named = await namedStream(database, stream, store.label)
    const family = familyOf(await ledger.all(), named.id)
    const newest = family.newest === named.id ? named : await streamNamed(database, family.newest)
    if (newest === null) {
      throw new SluiceError(
        'LEDGER_DAMAGED',
        `the ledger has a cutover to stream ${family.newest}, but no row of that stream`,
        {
          where: store.label,
        },
      )
    }
    const streams = new StreamLedger(database, owner)
    return { store, database, ledger, streams, family, stream: newest, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Parts of the store that a cutover within one database uses. */
export type StoreCapabilities = { readonly switches: SwitchStore; readonly changes: ChangeSource }

/** @throws SluiceError NOT_SWITCHABLE if the tables of the stream cannot be switched in one transaction */
export function capabilitiesOf({ store, stream }: Pick<OpenedFamily, 'store' | 'stream'>): StoreCapabilities {
  const no = (message: string, reason: string, hint: string): SluiceError =>
    new SluiceError('NOT_SWITCHABLE', message, { where: store.label, reason, hint })
  if (store.identity !== stream.sourceIdentity) {
    throw no(
      `stream ${stream.id} cannot be cut over within this database`,
      `it reads from ${stream.source}; two databases have no common transaction`,
      'name the source of the stream with --from, or copy the table into its own database',
    )
  }
  const switches = store.offers.switches
  const changes = store.offers.slotChanges?.()
  if (switches === undefined || changes === undefined)
    throw no(
      `tables of ${store.system} cannot be exchanged`,
      `${store.system} has no transaction that renames tables and reports changes`,
      'so far, cutover works within one PostgreSQL database only',
    )
  refuseTriggerStream(stream, store)
  return { switches, changes }
}

/** @throws SluiceError NOT_SWITCHABLE for a stream that reads changes by triggers */
export function refuseTriggerStream(stream: StreamRow, { label }: CopyStore): void {
  if (cdcOf(stream, undefined) === 'slot') return
  throw new SluiceError('NOT_SWITCHABLE', `stream ${stream.id} cannot be cut over: it reads changes by triggers`, {
    where: label,
    reason: 'only the log of a slot shows what was committed before the cutover',
    hint: 'copy the table again with --follow --cdc slot --restart',
  })
}

/** Removes slot and publication of the earlier stream, if the program of the cutover was killed before it did so. */
export async function finishEarlierCutover(
  { store, database }: Pick<OpenedFamily, 'store' | 'database'>,
  stream: string,
  run: CopyRun,
): Promise<void> {
  const ledger = new CutoverLedger(database, { ...run.owner, runId: BigInt(run.runId) })
  const left = (await ledger.all()).find(({ reverse, status }) => reverse === stream && status === 'switched')
  const changes = store.offers.slotChanges?.()
  if (left === undefined || changes === undefined) return
  const name = await cleanUp({ ledger, database }, { changes }, left, run)
  run.emit({ type: 'log', level: 'note', message: `slot and publication ${name} of the previous stream are removed` })
}

/** Removes slot and publication of the earlier stream. Idempotent. @returns their name */
export async function cleanUp(
  { ledger, database }: Pick<OpenedFamily, 'ledger' | 'database'>,
  { changes }: Pick<StoreCapabilities, 'changes'>,
  { id, stream }: Pick<CutoverRow, 'id' | 'stream'>,
  run: CopyRun,
): Promise<string> {
  const before = await streamNamed(database, stream)
  const name = before?.startRecord?.slot ?? streamName(stream)
  await changes.end(name, run.interrupt.abort)
  await ledger.done(id)
  return name
}
