/** Changes between two versions, action by action. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type {
  ActionLine,
  AddAction,
  CdcAction,
  DomainMetadataAction,
  MetadataAction,
  ProtocolAction,
  RemoveAction,
  TxnAction,
} from './actions.ts'
import { readCommit } from './commit-lines.ts'
import type { LogListing } from './listing.ts'
import { logPathOf } from './log-path.ts'
import { canonicalPath, dvId } from './paths.ts'

/** `path` is canonical; `raw` is the line of the log. */
export type LoggedChange = { readonly version: number; readonly line: number; readonly raw: string } & (
  | { readonly change: 'added'; readonly path: string; readonly dvId: string | null; readonly add: AddAction }
  | { readonly change: 'removed'; readonly path: string; readonly dvId: string | null; readonly remove: RemoveAction }
  | { readonly change: 'cdc'; readonly path: string; readonly cdc: CdcAction }
  | { readonly change: 'protocol'; readonly protocol: ProtocolAction }
  | { readonly change: 'metadata'; readonly metadata: MetadataAction }
  | { readonly change: 'txn'; readonly txn: TxnAction }
  | { readonly change: 'domain'; readonly domain: DomainMetadataAction }
)

function changeOf({ line, raw, action }: ActionLine, version: number, root: string): LoggedChange | null {
  const at = { version, line, raw }
  switch (action.kind) {
    case 'add':
      return {
        ...at,
        change: 'added',
        path: canonicalPath(action.add.path, root),
        dvId: dvId(action.add.deletionVector),
        add: action.add,
      }
    case 'remove':
      return {
        ...at,
        change: 'removed',
        path: canonicalPath(action.remove.path, root),
        dvId: dvId(action.remove.deletionVector),
        remove: action.remove,
      }
    case 'cdc':
      return { ...at, change: 'cdc', path: canonicalPath(action.cdc.path, root), cdc: action.cdc }
    case 'protocol':
      return { ...at, change: 'protocol', protocol: action.protocol }
    case 'metaData':
      return { ...at, change: 'metadata', metadata: action.metaData }
    case 'txn':
      return { ...at, change: 'txn', txn: action.txn }
    case 'domainMetadata':
      return { ...at, change: 'domain', domain: action.domainMetadata }
    default:
      return null
  }
}

/**
 * Changes from version `from` to version `to`, made by commits `from + 1` to `to`, in the order of the log.
 * @param from -1 for the changes of all commits from version 0 on
 * @throws SluiceError VERSION_NOT_FOUND if `to` is newer than the log or below `from`; LOG_GAP if a commit between them
 * is missing
 */
export async function* logChanges(
  store: LogStore,
  listing: LogListing,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncIterable<LoggedChange> {
  const latest = listing.latest ?? -1
  if (to > latest || from > to || from < -1) {
    throw new SluiceError(
      'VERSION_NOT_FOUND',
      `there are no changes from version ${from} to ${to}; the newest version is ${latest}`,
    )
  }
  const commits = listing.commits.filter(({ version }) => version > from && version <= to)
  const present = new Set(commits.map(({ version }) => version))
  for (let version = from + 1; version <= to; version++) {
    if (present.has(version)) continue
    let end = version
    while (end < to && !present.has(end + 1)) end++
    const gone = version === end ? `commit ${version} is missing` : `commits ${version} to ${end} are missing`
    throw new SluiceError('LOG_GAP', `${gone} between version ${from} and version ${to}`, {
      reason: 'a checkpoint has the state of a version, but not its changes',
      hint: 'restore the missing commits, or give versions between which no commit is missing',
    })
  }
  store.prefetch?.(
    commits.map(({ name }) => logPathOf(name)),
    { signal },
  )
  for (const commit of commits) {
    for await (const block of readCommit(store, commit, signal)) {
      for (const line of block) {
        const change = changeOf(line, commit.version, store.root)
        if (change !== null) yield change
      }
    }
  }
}
