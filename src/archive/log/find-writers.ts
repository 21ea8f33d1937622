/** Finds the ledgers that may own a file of an archive: ledgers named in its log, except the caller's own. */
import type { ActionKind } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import { canonicalPath } from '../../delta/paths.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { ledgerOfApp, type NamedLedger } from './ledger-name.ts'
import { openTable, type LogSource } from './read-state.ts'

export type Writers = {
  /** True if the oldest existing commit names its ledger; programs before ledger version 11 wrote no name. */
  readonly isNamed: boolean
  /** All ledgers that the log names, except the caller's own. */
  readonly others: readonly NamedLedger[]
  /** Ledgers of `others` that may have added a file; all `others` if a commit that added it has no name or is gone. */
  mayBeOf(path: string): readonly NamedLedger[]
}

const KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'txn'])

/**
 * Reads more than the oldest commit only if the log names another ledger.
 * @param own id of the caller's ledger; null if it has none yet
 * @throws SluiceError errors of reading a log
 */
export async function findWriters(source: LogSource, own: string | null, signal: AbortSignal): Promise<Writers> {
  const { store } = source
  const table = await openTable(source, signal)
  const snapshot = await table?.snapshot()
  const { txns = new Map<string, unknown>() } = (await snapshot?.state(signal)) ?? {}
  const named = new Map([...txns.keys()].flatMap((appId) => idAndName(appId)))
  const others = [...named.values()].filter(({ id }) => id !== own)
  if (table === null) return { isNamed: true, others, mayBeOf: () => [] }
  const listing = await table.listing(signal)
  const [earliest] = listing.commits
  const firstRead = earliest === undefined ? null : await readOf(store, earliest.name, signal)
  const isNamed = firstRead === null || firstRead.by !== null
  if (others.length === 0) return { isNamed, others, mayBeOf: () => [] }
  /** Ids of the ledgers that added a file, by its path; an id is null if the commit names no ledger, or is gone. */
  const writers = new Map<string, Set<string | null>>()
  const note = (path: string, id: string | null): void =>
    void writers.set(path, (writers.get(path) ?? new Set()).add(id))
  const first = Math.min(...listing.checkpoints.map(({ version }) => version))
  if ((await table.buildableHistory(signal)).from !== 0 && Number.isFinite(first)) {
    const begun = await table.snapshot({ version: first })
    for await (const block of begun.files({ signal })) for (const { path } of block) note(path, null)
    for await (const block of begun.tombstones(signal)) for (const { path } of block) note(path, null)
  }
  for (const { name } of listing.commits) {
    const { by, added } = firstRead !== null && name === earliest?.name ? firstRead : await readOf(store, name, signal)
    for (const path of added) note(path, by)
  }
  return {
    isNamed,
    others,
    mayBeOf(path) {
      const ids = writers.get(path)
      return ids === undefined || ids.has(null) ? others : others.filter(({ id }) => ids.has(id))
    },
  }
}

/** The ledger that wrote a commit, null if it names none, and the paths that the commit added. */
async function readOf(
  store: LogStore,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly by: string | null; readonly added: readonly string[] }> {
  const added: string[] = []
  let by: string | null = null
  for await (const block of readLog(store, name, { signal, kinds: KINDS })) {
    for (const { action } of block) {
      if (action.kind === 'txn') by = ledgerOfApp(action.txn.appId)?.id ?? by
      else if (action.kind === 'add') added.push(canonicalPath(action.add.path, store.root))
    }
  }
  return { by, added }
}

function idAndName(appId: string): readonly (readonly [string, NamedLedger])[] {
  const named = ledgerOfApp(appId)
  return named === null ? [] : [[named.id, named]]
}
