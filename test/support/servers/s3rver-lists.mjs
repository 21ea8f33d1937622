// Loaded into s3rver before it starts: the listing of s3rver omits folders that contain only folders, and sorts by
// directory instead of by key. This one lists as S3 does.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(import.meta.url)
const Store = require('s3rver/lib/stores/filesystem')
const S3Object = require('s3rver/lib/models/object')
const SUFFIX = '._S3rver_object'

/** Keys below `folder` that begin with `prefix`. */
function* keysBelow(root, folder, prefix) {
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = folder + entry.name
    if (entry.isDirectory()) {
      const below = `${name}/`
      if (below.startsWith(prefix) || prefix.startsWith(below)) yield* keysBelow(root, below, prefix)
    } else if (name.endsWith(SUFFIX) && name.startsWith(prefix)) yield name.slice(0, -SUFFIX.length)
  }
}

const PAGE = Number(process.env.SLUICE_TEST_S3_PAGE ?? 1000)

Store.prototype.listObjects = async function listObjects(bucket, options) {
  const { delimiter = '', startAfter = '', prefix = '' } = options
  const maxKeys = Math.min(options.maxKeys ?? PAGE, PAGE)
  const after = Buffer.from(startAfter)
  const isBehind = (key) =>
    startAfter === '' ||
    (Buffer.compare(Buffer.from(key), after) > 0 && !(startAfter.endsWith('/') && key.startsWith(startAfter)))
  const keys = [...keysBelow(this.getBucketPath(bucket), '', prefix)]
    .filter(isBehind)
    .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const prefixes = new Set()
  const found = []
  let last = ''
  let isTruncated = false
  for (const key of keys) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const name = cut === -1 ? key : key.slice(0, cut + delimiter.length)
    if (prefixes.has(name)) continue
    if (found.length + prefixes.size >= maxKeys) {
      isTruncated = true
      break
    }
    if (cut === -1) found.push(key)
    else prefixes.add(name)
    last = name
  }
  const objects = await Promise.all(
    found.map(async (key) => new S3Object(bucket, key, null, await this.getMetadata(bucket, key))),
  )
  return { objects: isTruncated ? endingAt(objects, last) : objects, commonPrefixes: [...prefixes], isTruncated }
}

/** s3rver continues after the key of the last object; but a page may end with a folder, and contain no object. */
function endingAt(objects, key) {
  const page = [...objects, { key }]
  page.map = (show) => objects.map(show)
  return page
}
