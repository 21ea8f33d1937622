/** Protocol, metadata, transactions and domains of a table at a version: the newest row at or below it. */
import type { DomainMetadataAction, MetadataAction, ProtocolAction, TxnAction } from '../../delta/actions.ts'
import { schemaOf, type StructType } from '../../delta/schema.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'

export type CatalogTableState = {
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
}

/**
 * The newest row of `relation` at or below a version; in one version, a commit line is preferred to a checkpoint row.
 */
function newest(relation: string, columns: string): string {
  return `SELECT ${columns} FROM ${relation} WHERE table_id = ? AND version <= ? ORDER BY version DESC, source ASC, line DESC LIMIT 1`
}

const PROTOCOL = newest('delta_protocols', 'min_reader_version, min_writer_version, reader_features, writer_features')
const METADATA = newest(
  'delta_metadata',
  'metadata_id, name, description, format_provider, format_options, schema_string, partition_columns, configuration, created_time',
)

export async function stateAt(reader: SqlReader, tableId: string, version: number): Promise<CatalogTableState> {
  const [protocol] = await reader.all(PROTOCOL, [tableId, version])
  const [metadata] = await reader.all(METADATA, [tableId, version])
  return {
    protocol: protocol === undefined ? null : protocolOf(protocol),
    metadata: metadata === undefined ? null : metadataOf(metadata),
  }
}

/** Schema of a table at a version, and logical names of its partition columns. @throws SluiceError HISTORY_MISSING */
export async function schemaAt(
  reader: SqlReader,
  tableId: string,
  version: number,
): Promise<{ readonly schema: StructType; readonly partitionColumns: readonly string[] }> {
  const { protocol, metadata } = await stateAt(reader, tableId, version)
  if (protocol === null || metadata === null) {
    throw new SluiceError('HISTORY_MISSING', `the catalog has no schema of ${tableId} at version ${version}`)
  }
  return { schema: schemaOf(protocol, metadata), partitionColumns: metadata.partitionColumns ?? [] }
}

const TXNS = `SELECT app_id, CAST(txn_version AS TEXT), last_updated FROM (
    SELECT app_id, txn_version, last_updated, row_number() OVER (PARTITION BY app_id ORDER BY version DESC, source ASC, line DESC) AS nth
    FROM delta_txns WHERE table_id = ? AND version <= ?) AS ranked
  WHERE nth = 1 ORDER BY app_id`

/** The newest transaction of every application. */
export async function txnsAt(reader: SqlReader, tableId: string, version: number): Promise<readonly TxnAction[]> {
  const rows = await reader.all(TXNS, [tableId, version])
  return rows.map((row) => {
    const [appId, txnVersion, lastUpdated] = row as [string, string, number | null]
    return { appId, version: txnVersion, lastUpdated }
  })
}

const DOMAINS = `SELECT domain, configuration FROM (
    SELECT domain, configuration, removed, row_number() OVER (PARTITION BY domain ORDER BY version DESC, source ASC, line DESC) AS nth
    FROM delta_domains WHERE table_id = ? AND version <= ?) AS ranked
  WHERE nth = 1 AND removed = 0 ORDER BY domain`

/** Active domains: the newest row of each domain, without removed domains. */
export async function domainsAt(
  reader: SqlReader,
  tableId: string,
  version: number,
): Promise<readonly DomainMetadataAction[]> {
  const rows = await reader.all(DOMAINS, [tableId, version])
  return rows.map((row) => {
    const [domain, configuration] = row as [string, string]
    return { domain, configuration, removed: false }
  })
}

function protocolOf(row: SqlRow): ProtocolAction {
  const [minReaderVersion, minWriterVersion, readerFeatures, writerFeatures] = row as [
    number,
    number,
    string | null,
    string | null,
  ]
  return {
    minReaderVersion,
    minWriterVersion,
    ...(readerFeatures === null ? {} : { readerFeatures: JSON.parse(readerFeatures) as string[] }),
    ...(writerFeatures === null ? {} : { writerFeatures: JSON.parse(writerFeatures) as string[] }),
  }
}

function metadataOf(row: SqlRow): MetadataAction {
  const [id, name, description, provider, options, schemaString, partitionColumns, configuration, createdTime] =
    row as [string, string | null, string | null, string | null, string | null, string, string, string, number | null]
  return {
    id,
    name,
    description,
    format:
      provider === null
        ? null
        : { provider, options: options === null ? null : (JSON.parse(options) as Record<string, string | null>) },
    schemaString,
    partitionColumns: JSON.parse(partitionColumns) as string[],
    configuration: JSON.parse(configuration) as Record<string, string | null>,
    createdTime,
  }
}
