/** Checks the checksum file (`.crc`) of a version: number and size of files as its writer recorded them. */
import { readCrc } from '../../../delta/crc.ts'
import { crcName, logPathOf } from '../../../delta/log-path.ts'
import type { FsckReport } from './report.ts'
import type { Subject } from './subject.ts'

/**
 * Compares the checksum file of the version with its active files, and reports how many others exist.
 * @param counts of all active files
 * @throws SluiceError of a store that cannot be read
 */
export async function inspectChecksum(
  { store, table, version }: Subject,
  { all, bytes }: { readonly all: number; readonly bytes: bigint },
  report: FsckReport,
  signal: AbortSignal,
): Promise<void> {
  const { crcs } = await table.listing(signal)
  if (crcs.length === 0) return
  const isThere = crcs.some((one) => one.version === version)
  const crc = isThere ? await readCrc(store, version, signal) : null
  const isWrong = crc !== null && (crc.numFiles !== all || BigInt(crc.tableSizeBytes) !== bytes)
  if (isWrong) {
    const said = `${crc.numFiles} files of ${crc.tableSizeBytes} bytes`
    const given = `${all} files of ${bytes} bytes`
    const path = logPathOf(crcName(version))
    const detail = `the checksum file of version ${version} says ${said}, the version has ${given}`
    report.add({ level: 'finding', kind: 'checksum-file', path, log: given, found: said, detail })
  }
  const own = !isThere
    ? `version ${version} has none`
    : crc === null
      ? `that of version ${version} cannot be read; readers skip it`
      : `files and bytes of version ${version} compared`
  const others = crcs.length - Number(isThere)
  const rest = others === 0 ? '' : '; those of other versions were not compared'
  report.checked('checksums', crc === null ? 0 : 1, crcs.length, Number(isWrong), `${own}${rest}`)
}
