/** Texts of what a log declares other than files: equal only if the declarations mean the same. */
import { sortedJson } from '../shared/sorted-json.ts'
import type { LogAction, MetadataAction, ProtocolAction } from './actions.ts'

/** Text of a domain that was removed. */
export const REMOVED = 'removed'

/** What an action declares, in words, and its text; null for actions that declare nothing. */
export function declaredBy(action: LogAction): readonly [what: string, text: string] | null {
  switch (action.kind) {
    case 'protocol':
      return ['the protocol', protocolText(action.protocol)]
    case 'metaData':
      return ['the metadata', metadataText(action.metaData)]
    case 'txn':
      return [`${TXN}${action.txn.appId}`, action.txn.version]
    case 'domainMetadata': {
      const { domain, configuration, removed } = action.domainMetadata
      return [`domain ${domain}`, removed ? REMOVED : configuration]
    }
    default:
      return null
  }
}

const TXN = 'transaction '

/**
 * Names what two states declare differently. A transaction that only the earlier state has is no difference: a
 * checkpoint may leave out an expired one.
 * @param since names of what was declared between the two states
 */
export function differentDeclarations(
  earlier: ReadonlyMap<string, string>,
  later: ReadonlyMap<string, string>,
  since: ReadonlySet<string>,
): readonly string[] {
  return [...new Set([...earlier.keys(), ...later.keys()])].filter(
    (what) => !since.has(what) && earlier.get(what) !== later.get(what) && (later.has(what) || !what.startsWith(TXN)),
  )
}

function protocolText({ minReaderVersion, minWriterVersion, readerFeatures, writerFeatures }: ProtocolAction): string {
  const features = [readerFeatures, writerFeatures].map((names) => (names ?? []).toSorted())
  return JSON.stringify([minReaderVersion, minWriterVersion, ...features])
}

function metadataText({ id, schemaString, partitionColumns, configuration }: MetadataAction): string {
  let schema: unknown = schemaString
  try {
    schema = JSON.parse(schemaString)
  } catch {
    // The text is not JSON, so it is compared as text.
  }
  return sortedJson([id, schema, partitionColumns ?? [], configuration ?? {}], (field) => field == null)
}
