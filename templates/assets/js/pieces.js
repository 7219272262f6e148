// A file sent in pieces from where the server says it stands. What a cut connection left there is asked for, not
// guessed; a piece that is too large for something on the way is halved. Knows neither flights nor photos.
import { call, Problem } from "./http.js";

const LEAST_BYTES = 16 * 1024;

/**
 * Send `size` bytes to `address` from `offset` on; gives the last answer.
 * slice(from, to) gives the bytes; again(deed) runs one request, by default once; told(offset) hears of progress.
 */
export async function sendPieces({ address, size, offset, pieceBytes, slice, again = (deed) => deed(), told = () => {} }) {
  let most = pieceBytes;
  let last = null;
  while (offset < size || last === null) {
    told(offset);
    const from = offset;
    try {
      last = await again(() => put(address, from, slice(from, Math.min(size, from + most))));
    } catch (fault) {
      if (!(fault instanceof Problem)) throw fault;
      if (fault.status === 409 && Number.isInteger(fault.body.offset)) last = fault.body;
      else if (fault.status === 413 && most > LEAST_BYTES) {
        most = Math.max(LEAST_BYTES, most >> 1);
        continue;
      } else throw fault;
    }
    if (last.offset === from && from < size) throw new Problem(0, {}); // no way forward: not here for ever
    offset = last.offset;
  }
  told(size);
  return last;
}

function put(address, offset, bytes) {
  return call(address + "?offset=" + offset, { method: "PUT", form: bytes, headers: { "Content-Type": "application/octet-stream" } });
}
