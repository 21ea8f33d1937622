/**
 * Compares the copy of a V2 checkpoint in `_last_checkpoint` (`v2Checkpoint`) with the checkpoint. Delta on Spark reads
 * sidecars, protocol and metadata from the copy if there is one; PROTOCOL.md does not describe it.
 */
import type { LogAction } from '../../../delta/actions.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import type { HintCopy } from '../../../delta/last-checkpoint.ts'
import type { CheckpointFiles } from '../../../delta/listing.ts'
import { LAST_CHECKPOINT } from '../../../delta/log-path.ts'
import { parseAction } from '../../../delta/parse-action.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { firstOf } from '../../../shared/first-of.ts'

/** Maximum number of differences that are named. */
const MOST_NAMED = 3

export class HintCopyCheck {
  readonly #copy: HintCopy
  readonly #sidecars = new Set<string>()
  readonly #actions = new Set<string>()

  private constructor(copy: HintCopy) {
    this.#copy = copy
  }

  /** Check of the copy against a checkpoint; null if there is no copy, or if it is of another checkpoint. */
  static of(copy: HintCopy | null, { files }: CheckpointFiles): HintCopyCheck | null {
    return copy !== null && files.some(({ name }) => name === copy.name) ? new HintCopyCheck(copy) : null
  }

  /** Adds an action of the checkpoint to the comparison. */
  take(action: LogAction): void {
    if (action.kind === 'sidecar') this.#sidecars.add(action.sidecar.path)
    const text = comparedText(action)
    if (text !== null) this.#actions.add(text)
  }

  /** Returns the differences. Call it after the last action. */
  end(): readonly Finding[] {
    const { sidecars, actions } = this.#copy
    const copied = actions?.map((text) => comparedText(parsed(text)) ?? '').filter((text) => text !== '')
    return [...differences('sidecar', sidecars, this.#sidecars), ...differences('action', copied, this.#actions)]
  }
}

function parsed(text: string): LogAction {
  try {
    return parseAction(text, () => LAST_CHECKPOINT)
  } catch (error) {
    if (error instanceof SluiceError) return { kind: 'unknown', name: text }
    throw error
  }
}

/** The parts of an action that readers use, as comparable text; null for a kind of action that is not compared. */
function comparedText(action: LogAction): string | null {
  if (action.kind === 'protocol') {
    const { minReaderVersion, minWriterVersion, readerFeatures, writerFeatures } = action.protocol
    const sorted = [readerFeatures, writerFeatures].map((features) => features?.toSorted() ?? [])
    return `protocol ${JSON.stringify([minReaderVersion, minWriterVersion, ...sorted])}`
  }
  if (action.kind === 'metaData') {
    const { id, schemaString, partitionColumns, configuration } = action.metaData
    const properties = Object.entries(configuration ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `metaData ${JSON.stringify([id, schemaString, partitionColumns ?? [], properties])}`
  }
  // Compare the version as a number, because JSON.parse has rounded a version above 2^53 in the copy.
  if (action.kind === 'txn') return `txn ${JSON.stringify([action.txn.appId, Number(action.txn.version)])}`
  if (action.kind === 'domainMetadata') {
    const { domain, configuration } = action.domainMetadata
    return `domainMetadata ${JSON.stringify([domain, configuration])}`
  }
  return action.kind === 'unknown' ? `unknown ${action.name}` : null
}

/** @param copied null or undefined if the copy has no list of the kind: then readers open the checkpoint */
function differences(
  what: 'sidecar' | 'action',
  copied: readonly string[] | null | undefined,
  held: ReadonlySet<string>,
): readonly Finding[] {
  if (copied == null) return []
  const own = new Set(copied)
  const missing = [...held].filter((one) => !own.has(one))
  const added = copied.filter((one) => !held.has(one))
  if (missing.length + added.length === 0) return []
  const named = [...missing.map((one) => `lacks ${one}`), ...added.map((one) => `adds ${one}`)]
  const shown = named.map((text) => text.slice(0, 120))
  const detail = `its copy of the checkpoint has other ${what}s than the checkpoint: it ${firstOf(shown, MOST_NAMED)}`
  return [{ level: 'finding', kind: 'last-checkpoint', path: LAST_CHECKPOINT, detail }]
}
