/**
 * The state of a version as rows of a checkpoint. For the checkpoint with which the catalog began, the original rows
 * are returned in their order, so that importing the export gives the same catalog. Other rows are built from the state
 * of the version.
 */
import {
  VECTOR_FIELDS,
  type MetadataAction,
  type ProtocolAction,
  type RemoveAction,
  type TxnAction,
} from '../../delta/actions.ts'
import { CHECKPOINT_KINDS, type CheckpointKind, type CheckpointRow } from '../../model/lake/checkpoint-writer.ts'
import { retentionOf } from '../../delta/retention.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import { SOURCE } from '../relations.ts'
import { domainsAt, stateAt, txnsAt } from '../query/state.ts'
import { ADD_COLUMNS, addRecord, checkpointLine, utf8 } from './adds.ts'
import { keyedPages, mergeByLine, type AtLine } from './merge.ts'
import { tombstonesAt } from './tombstones.ts'

type Table = { readonly tableId: string; readonly location: string; readonly historyFrom: number }
type Row = AtLine & CheckpointRow

const ACTIVE = `SELECT ${ADD_COLUMNS} FROM delta_files
  WHERE table_id = ? AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?) AND file_no < ? AND file_no > ?
  ORDER BY file_no LIMIT ?`
const OWN = `SELECT line, kind, raw FROM delta_actions WHERE table_id = ? AND version = ? AND source = 1 AND line > ? ORDER BY line LIMIT ?`
const IS_OWN = 'SELECT 1 FROM delta_actions WHERE table_id = ? AND version = ? AND source = 1 LIMIT 1'
const LATER_FILES = 'SELECT min(first_file_no) FROM delta_commits WHERE table_id = ? AND version > ?'
const EXPECTED = 'SELECT num_files FROM delta_commits WHERE table_id = ? AND version = ?'

export class ExportedCheckpointRows {
  readonly #reader: SqlReader
  readonly #table: Table
  readonly #nowMs: number
  readonly version: number
  /** Number of `add` rows returned. */
  adds = 0
  /** Action kinds and vector fields for which a classic checkpoint has no column, with the number of omissions. */
  readonly leftOut = new Map<string, number>()

  /** @param nowMs decides which tombstones have expired */
  constructor(reader: SqlReader, table: Table, version: number, nowMs: number) {
    this.#reader = reader
    this.#table = table
    this.version = version
    this.#nowMs = nowMs
  }

  /**
   * All rows.
   * @throws SluiceError TARGET_CORRUPT if the number of files differs from the stored one, or protocol or metadata is
   * missing
   */
  async *pages(): AsyncGenerator<readonly CheckpointRow[]> {
    const { tableId, historyFrom } = this.#table
    const based = (await this.#reader.all(IS_OWN, [tableId, historyFrom])).length > 0
    if (based && this.version === historyFrom) yield* mergeByLine(this.#ownRows(), this.#activeAdds())
    else {
      yield* this.#stateRows(based ? SOURCE.checkpoint : SOURCE.commit)
      yield* this.#activeAdds()
    }
    const [counted] = await this.#reader.all(EXPECTED, [tableId, this.version])
    if (counted?.[0] !== this.adds) {
      throw this.#damaged(
        `it has ${this.adds} files of version ${this.version}, and its recorded count is ${String(counted?.[0])}`,
      )
    }
  }

  /** Rows of the base checkpoint other than its files. */
  async *#ownRows(): AsyncGenerator<readonly Row[]> {
    for await (const page of keyedPages(this.#reader, OWN, [this.#table.tableId, this.version])) {
      const rows: Row[] = []
      for (const [line, name, raw] of page) {
        const kind = CHECKPOINT_KINDS.find((one) => one === name)
        if (kind === undefined) {
          const unknown = String(name).replace(/^unknown:/, '')
          this.#leaveOut(unknown)
          // JSON may have line breaks outside of strings, where they mean nothing.
        } else rows.push({ line: line as number, kind, json: utf8(raw as Uint8Array).replaceAll(/[\r\n]+/g, ' ') })
      }
      yield rows
    }
  }

  async *#stateRows(baseSource: number): AsyncGenerator<readonly CheckpointRow[]> {
    const reader = this.#reader
    const { tableId } = this.#table
    const { protocol, metadata } = await stateAt(reader, tableId, this.version)
    if (protocol === null || metadata === null) {
      throw this.#damaged(`it holds no ${protocol === null ? 'protocol' : 'metadata'} of version ${this.version}`)
    }
    yield [protocolRow(protocol), metadataRow(metadata)]
    yield (await txnsAt(reader, tableId, this.version)).map(txnRow)
    yield (await domainsAt(reader, tableId, this.version)).map((domain) => row('domainMetadata', domain))
    const expired = this.#nowMs - retentionOf(metadata)
    for await (const page of tombstonesAt(reader, this.#table, this.version, baseSource, expired))
      yield page.map(removeRow)
  }

  async *#activeAdds(): AsyncGenerator<readonly Row[]> {
    const { tableId } = this.#table
    // Files are numbered in the order of versions, so skip files of later versions.
    const [later] = await this.#reader.all(LATER_FILES, [tableId, this.version])
    const end = (later?.[0] ?? Number.MAX_SAFE_INTEGER) as number
    for await (const page of keyedPages(this.#reader, ACTIVE, [tableId, this.version, this.version, end])) {
      this.adds += page.length
      yield page.map((values) => {
        const add = addRecord(values)
        const { deletionVector } = add.columns
        if (deletionVector !== null) this.#leaveOutOf(deletionVector)
        return { line: add.line, kind: 'add', json: checkpointLine(add) }
      })
    }
  }

  #leaveOut(what: string): void {
    this.leftOut.set(what, (this.leftOut.get(what) ?? 0) + 1)
  }

  /** Counts the fields that are left out. @param vector a deletion vector as JSON */
  #leaveOutOf(vector: string): void {
    for (const field of Object.keys(JSON.parse(vector) as object)) {
      if (!VECTOR_FIELDS.some((one) => one === field)) this.#leaveOut(`deletionVector.${field}`)
    }
  }

  #damaged(what: string): SluiceError {
    return new SluiceError('TARGET_CORRUPT', `a checkpoint cannot be written from the catalog: ${what}`, {
      where: this.#table.location,
      hint: 'nothing was written; sluice validate TABLE shows the faults of the catalog',
    })
  }
}

function row(kind: CheckpointKind, value: object): CheckpointRow {
  return { kind, json: JSON.stringify({ [kind]: value }) }
}

function protocolRow(protocol: ProtocolAction): CheckpointRow {
  return row('protocol', protocol)
}

function metadataRow(metadata: MetadataAction): CheckpointRow {
  return row('metaData', metadata)
}

/** The version is inserted as text, because a double cannot hold every 64-bit number. */
function txnRow({ appId, version, lastUpdated }: TxnAction): CheckpointRow {
  const updated = lastUpdated === null || lastUpdated === undefined ? '' : `,"lastUpdated":${lastUpdated}`
  return { kind: 'txn', json: `{"txn":{"appId":${JSON.stringify(appId)},"version":${version}${updated}}}` }
}

/** `dataChange` is false: rows of a checkpoint are not changes. */
function removeRow(remove: RemoveAction): CheckpointRow {
  return row('remove', { ...remove, dataChange: false })
}
