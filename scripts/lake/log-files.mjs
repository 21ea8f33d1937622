/** Files of a `_delta_log`: their names, and writing them with a given modification time. */
import fs from 'node:fs'
import path from 'node:path'

/** @param {number} version */
export const commitName = (version) => `${pad(version, 20)}.json`
/** @param {number} version */
export const crcName = (version) => `${pad(version, 20)}.crc`

/** @param {number} value @param {number} digits */
export function pad(value, digits) {
  return String(value).padStart(digits, '0')
}

/** Size of the write buffer: few system calls, and no file is kept in memory completely. */
const BUFFER_CHARACTERS = 1 << 20

/** Writes any number of lines to a file. */
export class LineFile {
  #fd
  #text = ''
  bytes = 0

  /** @param {string} file */
  constructor(file) {
    this.#fd = fs.openSync(file, 'w')
  }

  /** @param {string} line without its line break */
  write(line) {
    this.#text += `${line}\n`
    if (this.#text.length >= BUFFER_CHARACTERS) this.#flush()
  }

  #flush() {
    this.bytes += fs.writeSync(this.#fd, this.#text)
    this.#text = ''
  }

  /** @param {number} [mtime] milliseconds since the epoch */
  close(mtime) {
    if (this.#text !== '') this.#flush()
    if (mtime !== undefined) fs.futimesSync(this.#fd, mtime / 1000, mtime / 1000)
    fs.closeSync(this.#fd)
  }
}

/** @param {string} file @param {string} text @param {number} mtime milliseconds since the epoch */
export function writeTextFile(file, text, mtime) {
  const fd = fs.openSync(file, 'w')
  fs.writeSync(fd, text)
  fs.futimesSync(fd, mtime / 1000, mtime / 1000)
  fs.closeSync(fd)
}

/**
 * A commit with a few actions.
 * @param {string} log @param {number} version @param {object[]} actions @param {number} mtime
 */
export function writeCommit(log, version, actions, mtime) {
  const text = actions.map((action) => `${JSON.stringify(action)}\n`).join('')
  writeTextFile(path.join(log, commitName(version)), text, mtime)
}

/**
 * The version checksum, as Spark writes it.
 * @param {string} log @param {number} version
 * @param {{protocol: object, metaData: object, files: number, bytes: number, txnId: string, inCommitTimestamp?: number,
 *   transactions?: object[]}} facts
 * @param {number} mtime
 */
export function writeCrc(log, version, facts, mtime) {
  const crc = {
    txnId: facts.txnId,
    tableSizeBytes: facts.bytes,
    numFiles: facts.files,
    numMetadata: 1,
    numProtocol: 1,
    ...(facts.inCommitTimestamp === undefined ? {} : { inCommitTimestampOpt: facts.inCommitTimestamp }),
    setTransactions: facts.transactions ?? [],
    domainMetadata: [],
    metadata: facts.metaData,
    protocol: facts.protocol,
  }
  writeTextFile(path.join(log, crcName(version)), `${JSON.stringify(crc)}\n`, mtime)
}
