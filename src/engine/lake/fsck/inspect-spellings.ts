/** Finds files that other readers see differently than sluice, because the log spells their paths in several ways. */
import type { Finding } from '../../../delta/fsck/finding.ts'
import type { CheckpointFiles } from '../../../delta/listing.ts'
import type { LogSegment } from '../../../delta/segment.ts'
import { fileReadings, Spellings } from '../../../delta/spellings.ts'
import type { DeltaTable } from '../../../delta/table.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** Errors that end this check without a finding: `fsck` reports them elsewhere, or only the catalog has the version. */
const NO_SEGMENT: ReadonlySet<string> = new Set(['LOG_GAP', 'NO_LOG', 'VERSION_NOT_FOUND'])

/**
 * Receives the file names from checks that read checkpoints and commits: first every row of the checkpoint from which
 * the version starts, then the commits, ascending.
 */
export class SpellingCheck {
  readonly #segment: LogSegment | null
  readonly #spellings: Spellings
  /** True if the checkpoint was read to its end, or none is needed. */
  #isBased: boolean

  private constructor(segment: LogSegment | null, root: string) {
    this.#segment = segment
    this.#spellings = new Spellings(root)
    this.#isBased = segment?.checkpoint === null
  }

  /**
   * Begins the check. It has no findings if the log can no longer build the version.
   * @throws SluiceError of a store that cannot be read
   */
  static async begin(table: DeltaTable, version: number, signal: AbortSignal): Promise<SpellingCheck> {
    try {
      return new SpellingCheck(await table.segment(version, signal), table.store.root)
    } catch (error) {
      if (error instanceof SluiceError && NO_SEGMENT.has(error.code)) return new SpellingCheck(null, table.store.root)
      throw error
    }
  }

  /** @returns receiver for the names in a checkpoint's rows; null if the version does not start from this checkpoint */
  ofCheckpoint(checkpoint: CheckpointFiles): Names | null {
    if (this.#segment?.checkpoint !== checkpoint) return null
    return {
      take: (kind, file) => this.#spellings.take(kind, file, null),
      end: () => {
        this.#isBased = true
      },
    }
  }

  /** Receives a file of a commit; ignores commits that the version does not need. */
  take(kind: 'add' | 'remove', file: Named, version: number): void {
    if (this.#segment === null || version > this.#segment.version) return
    if (version > (this.#segment.checkpoint?.version ?? -1)) this.#spellings.take(kind, file, version)
  }

  /** One finding per file; none if the checkpoint cannot be read to its end, which another check reports. */
  findings(): readonly Finding[] {
    if (!this.#isBased) return []
    return this.#spellings.ambiguousFiles().map((file) => ({
      level: 'finding',
      kind: 'path-spellings',
      path: file.spellings[0]?.path ?? '',
      detail: fileReadings(file),
    }))
  }
}

type Named = Parameters<Spellings['take']>[1]
type Names = {
  readonly take: (kind: 'add' | 'remove', file: Named) => void
  /** To be called after the last row. */
  readonly end: () => void
}
