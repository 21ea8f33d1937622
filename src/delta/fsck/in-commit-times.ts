/**
 * Finds in-commit timestamps that do not grow (PROTOCOL.md, "In-Commit Timestamps": each is above the one before). A
 * reader with binary search and one that reads all of them then find different versions for a time.
 */
import type { CommitInfoAction } from '../actions.ts'
import { inCommitTimeOf, type InCommitRule } from '../timestamps.ts'
import { isoTime } from '../../shared/clock.ts'
import type { Finding } from './finding.ts'

export class InCommitTimes {
  readonly findings: Finding[] = []
  readonly #rule: InCommitRule
  #last: { readonly version: number; readonly time: number } | null = null

  /** @param rule of the newest version */
  constructor(rule: InCommitRule) {
    this.#rule = rule
  }

  /** Call in the order of the versions. @param path of the commit's file */
  take(version: number, path: string, commitInfo: CommitInfoAction): void {
    const time = inCommitTimeOf(commitInfo)
    if (this.#rule === null || version < this.#rule.fromVersion || time === null) return
    const before = this.#last
    this.#last = { version, time }
    if (before === null || time > before.time) return
    const detail = `its in-commit timestamp is not above that of version ${before.version}`
    const [log, found] = [isoTime(before.time), isoTime(time)]
    this.findings.push({ level: 'finding', kind: 'in-commit-times', path, log, found, detail })
  }
}
