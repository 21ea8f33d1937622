/** Emits findings as events. After each kind of check, it also emits how much was checked. */
import type { Finding } from '../../../delta/fsck/finding.ts'
import { FINDINGS, type FindingKind } from '../../../model/lake/findings.ts'
import { dec, type Emit, type FsckCheckedEvent } from '../../../model/run/event.ts'
import { givenFields } from '../../../shared/given-fields.ts'

/** Maximum number of findings stored in a catalog. */
const MOST_KEPT = 50_000
/** Maximum number of notes of one kind that are emitted as events; further notes are only counted. */
const REPORTED_NOTES = 10_000

export class FsckReport {
  readonly #emit: Emit<'fsck.finding' | 'fsck.checked'>
  readonly #table: string
  readonly #counts = new Map<FindingKind, number>()
  /** Keys of the findings so far, because two checks may report the same finding. */
  readonly #known = new Set<string>()
  /** Paths of missing files. */
  readonly absent = new Set<string>()
  /** Reported findings and notes, up to `MOST_KEPT`. */
  readonly reported: Finding[] = []
  findings = 0
  notes = 0

  constructor(emit: Emit<'fsck.finding' | 'fsck.checked'>, table: string) {
    this.#emit = emit
    this.#table = table
  }

  /** Number of findings and notes whose kind begins with this text. */
  of(kinds: string): number {
    let sum = 0
    for (const [kind, count] of this.#counts) if (kind.startsWith(kinds)) sum += count
    return sum
  }

  add(finding: Finding): void {
    const { level, kind, path, column, log, found, detail, bytes } = finding
    if (finding.absent !== undefined) this.absent.add(finding.absent)
    if (level === 'finding') {
      const key = `${kind}\0${path ?? ''}\0${column ?? ''}\0${detail}`
      if (this.#known.has(key)) return
      this.#known.add(key)
      this.findings++
    } else this.notes++
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    if (level === 'note' && count > REPORTED_NOTES) return
    if (this.reported.length < MOST_KEPT) this.reported.push(finding)
    this.#emit({
      type: 'fsck.finding',
      table: this.#table,
      level,
      finding: kind,
      ...givenFields({ path, column, log, found }),
      detail,
      ...(bytes === undefined ? {} : { bytes: dec(bytes) }),
      hint: FINDINGS[kind],
    })
  }

  /** Reports that a kind of check is complete. @param isDrawn true if only files selected at random were inspected */
  checked(
    check: FsckCheckedEvent['check'],
    inspected: number,
    of: number,
    findings: number,
    detail: string,
    isDrawn = false,
  ): void {
    this.#emit({
      type: 'fsck.checked',
      table: this.#table,
      check,
      looked: dec(inspected),
      of: dec(of),
      findings: dec(findings),
      detail,
      ...(isDrawn ? { drawn: true } : {}),
    })
  }
}
