"""Vision for programs: data formats, images, masks, boxes, splits, pictures and made-up samples."""
