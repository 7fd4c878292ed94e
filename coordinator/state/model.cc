#include "coordinator/state/model.h"

namespace enigma::coordinator {

engine::Sha256 Model::ContentId() const {
  if (!encoder) return manifest.id;
  engine::Sha256Hasher both;
  both.Update(manifest.id.data(), manifest.id.size());
  both.Update(encoder->manifest.id.data(), encoder->manifest.id.size());
  return both.Finish();
}

}  // namespace enigma::coordinator
