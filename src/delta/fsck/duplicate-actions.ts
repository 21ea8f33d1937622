/**
 * Finds several actions of one commit for the same file (path and vector), schema, protocol, transaction or domain. The
 * protocol allows one action for each in a commit, and the order of actions has no meaning. Readers that use the first
 * line and readers that use the last line get different tables.
 */
import { createHash } from 'node:crypto'
import type { LogAction, ActionKind } from '../actions.ts'
import type { Finding } from './finding.ts'

type Kind = Extract<ActionKind, 'add' | 'remove' | 'metaData' | 'protocol' | 'txn' | 'domainMetadata'>
type ActionGroup = {
  readonly path: string
  /** Null for a file; otherwise the state that the actions set: `metaData`, `txn of "app"`. */
  readonly state: string | null
  readonly kinds: Kind[]
  readonly digests: Set<string>
}

export class DuplicateActions {
  readonly #isRead: (version: number) => boolean
  readonly #commit = new Map<string, ActionGroup>()
  /** Findings that no later commit has replaced, by key. */
  readonly #open = new Map<string, Finding>()
  readonly #replacedFindings: Finding[] = []

  /** @param decides true if readers of the checked version read this commit */
  constructor(decides: (version: number) => boolean) {
    this.#isRead = decides
  }

  /** @param key of the file: its canonical path and its vector */
  file(kind: 'add' | 'remove', key: string, path: string, raw: string): void {
    this.#take(kind, key, path, null, raw)
  }

  /**
   * Records an action of schema, protocol, transaction or domain, and ignores others.
   * @param commit path of its file
   */
  state(action: LogAction, commit: string, raw: string): void {
    const said = stateOf(action)
    // A key cannot collide with a path: no path begins with NUL.
    if (said !== null) this.#take(said.kind, `\0${said.text}`, commit, said.text, raw)
  }

  #take(kind: Kind, key: string, path: string, state: string | null, raw: string): void {
    const digest = createHash('sha1').update(raw).digest('base64')
    const known = this.#commit.get(key)
    if (known === undefined) this.#commit.set(key, { path, state, kinds: [kind], digests: new Set([digest]) })
    else {
      known.kinds.push(kind)
      known.digests.add(digest)
    }
  }

  /** Ends a commit. Call in the order of the versions. */
  endCommit(version: number): void {
    for (const [key, named] of this.#commit) {
      const before = this.#open.get(key)
      if (before !== undefined && this.#isRead(version)) {
        this.#open.delete(key)
        this.#replacedFindings.push({ ...before, level: 'note' })
      }
      const detail = readings(version, named)
      if (detail === null) continue
      const isSame = named.digests.size === 1 || !this.#isRead(version)
      const finding = { level: isSame ? 'note' : 'finding', kind: 'actions-doubled', path: named.path, detail } as const
      if (isSame) this.#replacedFindings.push(finding)
      else this.#open.set(key, finding)
    }
    this.#commit.clear()
  }

  findings(): readonly Finding[] {
    return [...this.#replacedFindings, ...this.#open.values()]
  }
}

function stateOf(action: LogAction): { readonly kind: Kind; readonly text: string } | null {
  switch (action.kind) {
    case 'metaData':
    case 'protocol':
      return { kind: action.kind, text: action.kind }
    case 'txn':
      return { kind: 'txn', text: `txn of ${JSON.stringify(action.txn.appId)}` }
    case 'domainMetadata':
      return { kind: 'domainMetadata', text: `domainMetadata of ${JSON.stringify(action.domainMetadata.domain)}` }
    default:
      return null
  }
}

/**
 * Describes what readers get from several actions for one file or state; null for a single action, and if all are
 * removes.
 */
function readings(version: number, { state, kinds, digests }: ActionGroup): string | null {
  const [first, last] = [kinds[0], kinds.at(-1)]
  if (kinds.length < 2) return null
  if (state !== null) {
    const times = `commit ${version} has ${kinds.length} actions ${state}`
    if (digests.size === 1) return `${times}, with the same text`
    return `${times}: some readers use the first line, others, like sluice, the last one, and the lines differ`
  }
  if (!kinds.includes('add')) return null
  if (!kinds.includes('remove')) {
    if (digests.size === 1) return `commit ${version} adds it ${kinds.length} times, with the same text`
    return `commit ${version} adds it ${kinds.length} times: some readers use the first line, others, like sluice, the last one, and the lines differ`
  }
  const stateAfter = (kind: Kind | undefined): string => (kind === 'add' ? 'active' : 'removed')
  const ours = `sluice uses the last line: it is ${stateAfter(last)}`
  if (first === last) return `commit ${version} adds and removes it, and the order of lines has no meaning; ${ours}`
  return `commit ${version} adds and removes it; ${ours}; for readers that use the first line it is ${stateAfter(first)}`
}
