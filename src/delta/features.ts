/** Features that a table requires of readers (PROTOCOL.md, "Table Features"), and features that sluice refuses. */
import { SluiceError } from '../shared/errors.ts'
import type { MetadataAction, ProtocolAction } from './actions.ts'

const NEWEST_READER = 3

/** Reader features that do not change how a log is read, or that this reader supports. */
const KNOWN_READER_FEATURES: ReadonlySet<string> = new Set([
  'columnMapping',
  'deletionVectors',
  'timestampNtz',
  'timestampWithoutTimezone',
  'v2Checkpoint',
  'vacuumProtocolCheck',
  'typeWidening',
  'typeWidening-preview',
  'variantType',
  'variantType-preview',
  'variantShredding',
  'variantShredding-preview',
])

/** Features with which the log in the file system may lack commits. */
const FEATURES_WITHOUT_COMMITS: ReadonlySet<string> = new Set([
  'catalogManaged',
  'catalogManaged-preview',
  'catalogOwned',
  'catalogOwned-preview',
])

function refusedFeature(name: string): SluiceError {
  if (FEATURES_WITHOUT_COMMITS.has(name)) {
    return new SluiceError(
      'TABLE_FEATURE',
      `the commits of the table are in the catalog of another system (table feature '${name}')`,
      {
        reason: 'the log in the file system may be incomplete, and sluice cannot detect that',
        hint: 'read this table through the catalog that owns it',
      },
    )
  }
  return new SluiceError('TABLE_FEATURE', `table feature '${name}' is unknown to sluice`, {
    reason: 'a reader that does not know a reader feature may misread the table',
    hint: 'use a newer sluice, or drop the feature with the engine that owns the table',
  })
}

/**
 * Why sluice must not read a table, or null.
 * @returns SluiceError PROTOCOL_VERSION or TABLE_FEATURE with the first cause
 */
export function readerRefusal(protocol: ProtocolAction): SluiceError | null {
  const { minReaderVersion } = protocol
  if (minReaderVersion > NEWEST_READER) {
    return new SluiceError('PROTOCOL_VERSION', `Unsupported Delta protocol reader version (${minReaderVersion})`, {
      reason: `sluice reads versions 1 to ${NEWEST_READER}`,
      hint: 'use a newer sluice',
    })
  }
  // A reader-and-writer feature should be in both lists; the writer list alone is enough to refuse the table.
  for (const name of protocol.writerFeatures ?? []) if (FEATURES_WITHOUT_COMMITS.has(name)) return refusedFeature(name)
  if (minReaderVersion < 3) return null
  const unknown = (protocol.readerFeatures ?? []).find((name) => !KNOWN_READER_FEATURES.has(name))
  return unknown === undefined ? null : refusedFeature(unknown)
}

/** Features that old writer versions imply, and a test whether a table uses the feature. */
const IMPLIED_FEATURES: readonly {
  readonly name: string
  readonly writer: number
  readonly used: (metadata: MetadataAction, configuration: Readonly<Record<string, string | null>>) => boolean
}[] = [
  { name: 'appendOnly', writer: 2, used: (_, of) => of['delta.appendOnly']?.toLowerCase() === 'true' },
  { name: 'invariants', writer: 2, used: (metadata) => metadata.schemaString.includes('delta.invariants') },
  {
    name: 'checkConstraints',
    writer: 3,
    used: (_, of) => Object.keys(of).some((key) => key.startsWith('delta.constraints.')),
  },
  { name: 'changeDataFeed', writer: 4, used: (_, of) => of['delta.enableChangeDataFeed']?.toLowerCase() === 'true' },
  {
    name: 'generatedColumns',
    writer: 4,
    used: (metadata) => metadata.schemaString.includes('delta.generationExpression'),
  },
  { name: 'columnMapping', writer: 5, used: (_, of) => (of['delta.columnMapping.mode'] ?? 'none') !== 'none' },
  { name: 'identityColumns', writer: 6, used: (metadata) => metadata.schemaString.includes('delta.identity.') },
]

/**
 * Features to show for a table, sorted: those named in its protocol, and those that an old protocol version implies if
 * the table uses them.
 */
export function featureNames(protocol: ProtocolAction, metadata: MetadataAction): readonly string[] {
  const names = new Set([...(protocol.readerFeatures ?? []), ...(protocol.writerFeatures ?? [])])
  const configuration = metadata.configuration ?? {}
  if (protocol.minWriterVersion < 7) {
    for (const { name, writer, used } of IMPLIED_FEATURES) {
      if (protocol.minWriterVersion >= writer && used(metadata, configuration)) names.add(name)
    }
  }
  return [...names].toSorted()
}
