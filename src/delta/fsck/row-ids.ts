/**
 * Checks row ids of active files (PROTOCOL.md, "Row Tracking"): unique, and not above the high water mark. Also checks
 * that commit versions of rows are not above the version that adds the file.
 */
import type { AddAction } from '../actions.ts'
import { numRecordsOf } from '../stats.ts'
import type { Finding } from './finding.ts'

/** Domain whose configuration has the high water mark. */
export const ROW_TRACKING_DOMAIN = 'delta.rowTracking'

type Ids = { readonly path: string; readonly first: number; readonly last: number }

export class RowIds {
  readonly #files: Ids[] = []
  #without = 0
  /** The first file without a base id. */
  #withoutBaseId: string | null = null

  /** Records the row ids of a file, unless its number of rows is unknown or 0. Counts a file without a base id. */
  add(path: string, baseRowId: number | null, stats: string | null): void {
    if (baseRowId === null) {
      this.#without++
      this.#withoutBaseId ??= path
      return
    }
    const rows = numRecordsOf(stats)
    if (rows !== null && rows > 0) {
      this.#files.push({ path, first: baseRowId, last: baseRowId + rows - 1 })
    }
  }

  get count(): number {
    return this.#files.length
  }

  /** Finding about files without a base id, for a table with row tracking: at most one, for all of them. */
  absent(): readonly Finding[] {
    if (this.#withoutBaseId === null) return []
    const more = this.#without === 1 ? '' : `, like ${this.#without - 1} more`
    const detail = `it has no baseRowId, and delta.enableRowTracking is true${more}`
    return [{ level: 'finding', kind: 'row-ids', path: this.#withoutBaseId, detail }]
  }

  /** @param configuration of the row tracking domain; null if the domain is not active */
  findings(configuration: string | null): readonly Finding[] {
    const wrong = { level: 'finding', kind: 'row-ids' } as const
    const mark = highWaterMark(configuration)
    const findings: Finding[] = []
    let before: Ids | null = null
    for (const ids of this.#files.toSorted((a, b) => a.first - b.first || a.last - b.last)) {
      const { path, first, last } = ids
      const range = `${first} to ${last}`
      // A file that is active twice is reported as another finding.
      if (before !== null && first <= before.last && path !== before.path) {
        const detail = `its rows have the ids ${range}, which overlap the ids of ${before.path}: ${before.first} to ${before.last}`
        findings.push({ ...wrong, path, log: range, found: before.path, detail })
      }
      if (mark !== null && last > mark) {
        const detail = `its rows have the ids ${range}, above the high water mark ${mark}`
        findings.push({ ...wrong, path, log: `${mark}`, found: range, detail })
      }
      if (before === null || last > before.last) before = ids
    }
    return findings
  }
}

export class RowCommitVersions {
  #count = 0
  #first = { path: '', of: 0 }

  /** @param version of the commit that adds the file, or of a checkpoint that has it */
  take({ path, defaultRowCommitVersion: of }: AddAction, version: number): void {
    if (of == null || of <= version) return
    if (this.#count++ === 0) this.#first = { path, of }
  }

  /** Ends a commit or checkpoint. @returns at most one finding for all of its files */
  end(what: 'commit' | 'checkpoint', version: number, level: Finding['level']): readonly Finding[] {
    const { path, of } = this.#first
    const more = this.#count === 1 ? '' : `, like ${this.#count - 1} more`
    const does = what === 'commit' ? 'adds' : 'holds'
    const detail = `its defaultRowCommitVersion is ${of}, above ${what} ${version} that ${does} it${more}`
    const found = this.#count === 0 ? [] : [{ level, kind: 'row-ids', path, log: `${of}`, detail } as const]
    this.#count = 0
    return found
  }
}

function highWaterMark(configuration: string | null): number | null {
  if (configuration === null) return null
  try {
    const mark = (JSON.parse(configuration) as { rowIdHighWaterMark?: unknown } | null)?.rowIdHighWaterMark
    return typeof mark === 'number' ? mark : null
  } catch {
    return null
  }
}
