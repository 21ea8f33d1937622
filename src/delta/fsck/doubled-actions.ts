/**
 * Files that one commit names more than once. The protocol allows one action of a file (path and vector) in a commit, and its order means nothing;
 * readers that believe the first line and those that believe the last have different tables.
 */
import { createHash } from 'node:crypto'
import type { Finding } from './finding.ts'

type Kind = 'add' | 'remove'
type Named = { readonly path: string; readonly kinds: Kind[]; readonly digests: Set<string> }

export class DoubledActions {
  readonly #decides: (version: number) => boolean
  readonly #commit = new Map<string, Named>()
  /** Findings that no later commit has made history, by key. */
  readonly #open = new Map<string, Finding>()
  readonly #past: Finding[] = []

  /** @param decides whether readers of the version in question read this commit */
  constructor(decides: (version: number) => boolean) {
    this.#decides = decides
  }

  /** @param key of the file: its canonical path and its vector */
  take(kind: Kind, key: string, path: string, raw: string): void {
    const digest = createHash('sha1').update(raw).digest('base64')
    const known = this.#commit.get(key)
    if (known === undefined) this.#commit.set(key, { path, kinds: [kind], digests: new Set([digest]) })
    else {
      known.kinds.push(kind)
      known.digests.add(digest)
    }
  }

  /** Commits have to end in the order of their versions. */
  endCommit(version: number): void {
    for (const [key, named] of this.#commit) {
      const before = this.#open.get(key)
      if (before !== undefined && this.#decides(version)) {
        this.#open.delete(key)
        this.#past.push({ ...before, level: 'note' })
      }
      const detail = readings(version, named)
      if (detail === null) continue
      const isSame = named.digests.size === 1 || !this.#decides(version)
      const finding = { level: isSame ? 'note' : 'finding', kind: 'actions-doubled', path: named.path, detail } as const
      if (isSame) this.#past.push(finding)
      else this.#open.set(key, finding)
    }
    this.#commit.clear()
  }

  findings(): readonly Finding[] {
    return [...this.#past, ...this.#open.values()]
  }
}

/** Both readings of what a commit says of a file; null where every reader has the same. */
function readings(version: number, { kinds, digests }: Named): string | null {
  const [first, last] = [kinds[0], kinds.at(-1)]
  if (kinds.length < 2 || !kinds.includes('add')) return null
  if (!kinds.includes('remove')) {
    if (digests.size === 1) return `commit ${version} adds it ${kinds.length} times, in the same words`
    return `commit ${version} adds it ${kinds.length} times: readers believe the first line or, as sluice does, the last, and those differ`
  }
  const state = (kind: Kind | undefined): string => (kind === 'add' ? 'active' : 'removed')
  const ours = `sluice believes the last line: it is ${state(last)}`
  if (first === last) return `commit ${version} adds and removes it, and orders of lines mean nothing; ${ours}`
  return `commit ${version} adds and removes it; ${ours}; for readers that believe the first it is ${state(first)}`
}
