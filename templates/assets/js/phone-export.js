// The outbox as one file, as last resort: a plain zip (nothing packed) with every photo as it was taken and the words
// beside it, so that it opens on any machine without us.
import * as store from "./phone-store.js";

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function head(sign, name, bytes, crc, extra) {
  const whole = new DataView(new ArrayBuffer((extra ? 46 : 30) + name.length));
  const at = extra ? 2 : 0;
  whole.setUint32(0, sign, true);
  if (extra) whole.setUint16(4, 20, true);
  whole.setUint16(4 + at, 20, true);
  whole.setUint16(6 + at, 0x0800, true); // names are UTF-8
  whole.setUint16(12 + at, 0x21, true); // 1980-01-01: a zip must say a day
  whole.setUint32(14 + at, crc, true);
  whole.setUint32(18 + at, bytes.length, true);
  whole.setUint32(22 + at, bytes.length, true);
  whole.setUint16(26 + at, name.length, true);
  if (extra) whole.setUint32(42, extra.offset, true);
  new Uint8Array(whole.buffer).set(name, extra ? 46 : 30);
  return new Uint8Array(whole.buffer);
}

/** files: [{name, bytes}] -> Blob */
export function zip(files) {
  const [parts, index] = [[], []];
  let offset = 0;
  for (const { name, bytes } of files) {
    const named = new TextEncoder().encode(name);
    const crc = crc32(bytes);
    const local = head(0x04034b50, named, bytes, crc, null);
    index.push(head(0x02014b50, named, bytes, crc, { offset }));
    parts.push(local, bytes);
    offset += local.length + bytes.length;
  }
  const size = index.reduce((sum, one) => sum + one.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return new Blob([...parts, ...index, new Uint8Array(end.buffer)], { type: "application/zip" });
}

/** Everything that is not yet sent, written or not. */
export async function everything() {
  const files = [];
  for (const draft of await store.drafts()) {
    const folder = draft.id.slice(0, 8) + "/";
    files.push({ name: folder + "draft.json", bytes: new TextEncoder().encode(JSON.stringify(draft, null, 1)) });
    for (const one of draft.photos) {
      const kept = await store.photo(draft.id, one.sha256);
      if (kept) files.push({ name: folder + one.sha256.slice(0, 12) + ".jpg", bytes: new Uint8Array(kept.buffer) });
    }
  }
  return zip(files);
}

export async function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await everything());
  link.download = "patrol-outbox-" + new Date().toISOString().slice(0, 10) + ".zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
