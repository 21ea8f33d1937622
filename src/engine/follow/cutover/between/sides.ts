/** Both databases of a cutover. The stream reads from `closes`; its ledger is in `opens`, to which writers move. */
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { ChangeSource } from '../../../../model/follow/port.ts'
import type { SwitchSide } from '../../../../model/follow/switch-side-port.ts'
import type { CopyRun } from '../../../copy/copy-run.ts'
import { refuseOtherLedger } from '../../../copy/ledger/other-ledgers.ts'
import { openExisting } from '../../../copy/open-stores.ts'
import { onSide } from '../../../copy/sides.ts'
import type { StreamRow } from '../../../copy/ledger/stream-row.ts'
import { StreamLedger } from '../../../copy/ledger/streams.ts'
import { streamNamed, type NamedStream } from '../../../copy/ledger/stream-lookup.ts'
import { knowsStream, otherSourceError } from '../../stream/named-stream.ts'
import { familyOf, type Family } from '../family.ts'
import { refuseTriggerStream } from '../open-family.ts'
import { CutoverLedger } from '../cutover-ledger.ts'
import { readCutovers } from '../cutover-row.ts'
import type { CutoverDatabase } from './cutover-database.ts'
import { BetweenLedger } from './ledger.ts'
import { recordReverseStreams } from './record-reverse.ts'

export type Between = AsyncDisposable & {
  /** Database that the writers use until the cutover; the source of the stream. */
  readonly closes: CutoverDatabase
  /** Database that the writers use after the cutover; its ledger has the stream. */
  readonly opens: CutoverDatabase
  readonly family: Family
  /** The stream that ends with the cutover. */
  readonly stream: NamedStream
}

/** Capabilities of both stores. */
export type CutoverCapabilities = {
  readonly closing: SwitchSide
  readonly opening: SwitchSide
  /** Change sources of the stream that ends (`changes`) and of the reverse stream (`back`). */
  readonly changes: ChangeSource
  readonly back: ChangeSource
}

/**
 * Opens both databases of a stream.
 * @param urls of both databases, in any order: the streams define their roles. Without `from`, the source that the
 * stream has stored is used.
 * @returns null if the stream stays within one database, or is unknown
 * @throws SluiceError CONNECT_FAILED, PLAN_CHANGED if these are not the databases of the stream
 */
export async function betweenOf(
  urls: { readonly to: string; readonly from?: string },
  stream: string,
  run: CopyRun,
): Promise<Between | null> {
  const open: AsyncDisposable[] = []
  const close = async (): Promise<void> => {
    for (const one of open.toReversed()) await one[Symbol.asyncDispose]()
  }
  const opened = async (side: 'source' | 'target', url: string): Promise<CutoverDatabase> => {
    const store = await onSide(side, () => openExisting(url))
    open.push(store)
    // Stop before opening the ledger if this system does not support cutovers.
    if (side === 'source' && store.offers.switchSide === undefined) throw cannotMove(stream, store, store)
    const database = await onSide(side, () => store.ledger())
    open.push(database)
    const owner = { ...run.owner, runId: BigInt(run.runId) }
    const switches = new CutoverLedger(database, owner)
    return {
      url,
      store,
      database,
      switches,
      steps: new BetweenLedger(database, owner),
      streams: new StreamLedger(database, owner),
    }
  }
  try {
    const to = await opened('target', urls.to)
    const named = await namedIn(to.database, stream)
    if (named !== null && named.sourceIdentity === to.store.identity) {
      await close()
      return null
    }
    if (named !== null && to.store.offers.switchSide === undefined) throw cannotMove(stream, to.store, to.store)
    const otherUrl = urls.from ?? named?.source
    if (otherUrl === undefined) {
      await close()
      return null
    }
    const from = await opened('source', otherUrl)
    const known = named ?? (await namedIn(from.database, stream))
    // The ledger of the source may hold the stream, if the target was the writers' database before.
    if (known === null) {
      const what = `stream ${stream} is`
      await refuseOtherLedger(from.store, from.database, what, knowsStream(stream), run.interrupt.abort, 'the source')
    }
    if (known === null || from.store.identity === to.store.identity) {
      await close()
      return null
    }
    await recordReverseStreams(from, to)
    await recordReverseStreams(to, from)
    return { ...(await newestOf(known.id, from, to)), [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The newest stream of the family, and its two databases. @throws SluiceError PLAN_CHANGED, LEDGER_DAMAGED */
async function newestOf(
  stream: string,
  from: CutoverDatabase,
  to: CutoverDatabase,
): Promise<Omit<Between, keyof AsyncDisposable>> {
  const family = familyOf([...(await from.switches.all()), ...(await to.switches.all())], stream)
  for (const [opens, closes] of [
    [to, from],
    [from, to],
  ] as const) {
    const newest = await streamNamed(opens.database, family.newest)
    // streamNamed also finds streams by run id. The run of a cutover has the id of the reverse stream, so the earlier
    // stream may be found: skip it.
    if (newest?.id !== family.newest) continue
    if (newest.sourceIdentity !== closes.store.identity) throw otherSourceError(newest, closes.store)
    return { closes, opens, family, stream: newest }
  }
  const message = `the ledger has a cutover to stream ${family.newest}, but no row of that stream`
  throw new SluiceError('LEDGER_DAMAGED', message, { where: `${from.store.label}, ${to.store.label}` })
}

/** Capabilities that a cutover needs. @throws SluiceError NOT_SWITCHABLE without one, or for a trigger stream */
export function cutoverCapabilities({
  closes,
  opens,
  stream,
}: Pick<Between, 'closes' | 'opens' | 'stream'>): CutoverCapabilities {
  const [closing, opening] = [closes.store.offers.switchSide, opens.store.offers.switchSide]
  const [changes, back] = [closes.store.offers.slotChanges?.(), opens.store.offers.slotChanges?.()]
  if (closing === undefined || opening === undefined || changes === undefined || back === undefined) {
    throw cannotMove(stream.id, opens.store, closes.store)
  }
  refuseTriggerStream(stream, opens.store)
  return { closing, opening, changes, back }
}

function cannotMove(stream: string, store: CopyStore, other: CopyStore): SluiceError {
  const unable = [other, store].filter(
    ({ offers }) => offers.switchSide === undefined || offers.slotChanges === undefined,
  )
  const systems = [...new Set(unable.map(({ system }) => system))]
  return new SluiceError('NOT_SWITCHABLE', `stream ${stream} cannot be cut over between these databases`, {
    where: store.label,
    reason: `sluice cannot close tables of ${systems.join(' and ')} to all writers except the reverse stream; so far, cutover works within one PostgreSQL database and between two`,
    hint: `stop the writers, run sluice follow ${stream} --until-caught-up, sign off, end the stream, and give users the new address; docs/guides/follow.md has each step (Users move without cutover)`,
  })
}

/** The stream with this id. If the ledger has the id only as the reverse stream of a cutover: the stream before it. */
async function namedIn(database: LedgerDatabase, id: string): Promise<StreamRow | null> {
  const own = await streamNamed(database, id)
  if (own !== null) return own
  const before = (await readCutovers(database)).find((row) => row.isBetween && row.reverse === id)
  return before === undefined ? null : await streamNamed(database, before.stream)
}
