/** Checks the checksum file (`.crc`) of a version: number and size of files as its writer recorded them. */
import type { AddAction } from '../../../delta/actions.ts'
import { readCrc } from '../../../delta/crc.ts'
import { onlyInOne, checksumsOf, type SetFile } from '../../../delta/file-checksums.ts'
import { crcName, logPathOf } from '../../../delta/log-path.ts'
import { canonicalPath, dvId } from '../../../delta/paths.ts'
import { firstOf } from '../../../shared/first-of.ts'
import type { FsckReport } from './report.ts'
import type { Subject } from './subject.ts'

/** Maximum number of paths that are named. */
const MOST_NAMED = 3

/**
 * Compares the checksum file of the version with its active files, and reports how many other checksum files exist.
 * @param counts of all active files
 * @throws SluiceError of a store that cannot be read
 */
export async function inspectChecksum(
  subject: Subject,
  { all, bytes }: { readonly all: number; readonly bytes: bigint },
  report: FsckReport,
  signal: AbortSignal,
): Promise<void> {
  const { store, table, version } = subject
  const { crcs } = await table.listing(signal)
  if (crcs.length === 0) return
  const isThere = crcs.some((one) => one.version === version)
  const crc = isThere ? await readCrc(store, version, signal) : null
  const isWrong = crc !== null && (crc.numFiles !== all || BigInt(crc.tableSizeBytes) !== bytes)
  if (isWrong) {
    const said = `${crc.numFiles} files of ${crc.tableSizeBytes} bytes`
    const given = `${all} files of ${bytes} bytes`
    const path = logPathOf(crcName(version))
    const detail = `the checksum file of version ${version} records ${said}, the version has ${given}`
    report.add({ level: 'finding', kind: 'checksum-file', path, log: given, found: said, detail })
  }
  const listed = crc?.listedFiles() ?? null
  const lost = listed === null ? '' : await differenceOf(subject, listed)
  if (lost !== '') {
    const detail = `the list of files in the checksum file of version ${version} ${lost}`
    report.add({ level: 'finding', kind: 'checksum-file', path: logPathOf(crcName(version)), detail })
  }
  const what = listed === null ? 'files and bytes' : 'files, bytes and the paths of its list of files'
  const own = !isThere
    ? `version ${version} has no checksum file`
    : crc === null
      ? `the checksum file of version ${version} cannot be read; readers skip it`
      : `${what} of version ${version} compared`
  const others = crcs.length - Number(isThere)
  const rest = others === 0 ? '' : '; checksum files of other versions were not compared'
  report.checked('checksums', crc === null ? 0 : 1, crcs.length, Number(isWrong) + Number(lost !== ''), `${own}${rest}`)
}

/** Text about paths that are only in the list of the checksum file, or only in the active files; '' for none. */
async function differenceOf({ store, files }: Subject, listed: readonly AddAction[]): Promise<string> {
  const ofList = async function* (): AsyncGenerator<readonly SetFile[]> {
    yield listed.map((add) => setFile(add.path, add.deletionVector, add.size, store.root))
  }
  const ofTable = async function* (): AsyncGenerator<readonly SetFile[]> {
    for await (const block of files())
      yield block.map(({ file }) => setFile(file.path, file.vector, file.size, store.root))
  }
  const [list, active] = [await checksumsOf(ofList), await checksumsOf(ofTable)]
  const apart = list.differentParts(active)
  if (apart.size === 0) return ''
  const { one, other } = await onlyInOne(ofList, ofTable, apart, Math.max(list.files, active.files))
  const parts = [...other.map((path) => `lacks ${path}`), ...one.map((path) => `names ${path}, which is not active`)]
  return firstOf(parts, MOST_NAMED)
}

function setFile(path: string, vector: AddAction['deletionVector'], size: number, root: string): SetFile {
  return { path: canonicalPath(path, root), dvId: dvId(vector), size }
}
